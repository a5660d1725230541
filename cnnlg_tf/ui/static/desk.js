// What lies on the desk: the open photo, its mask and what the page is doing; and who hears of changes.

export const desk = {
  status: { state: "opening", can: [], formats: [], lossy: [] },
  photo: null, // as the server describes it, or null
  mask: null,
  sketch: null,
  tool: "brush",
  ink: "#000000", // of the sketch's pen; null erases
  size: 40, // of the brush, in pixels of the photo
  extension: [0, 0, 0, 0], // left, top, right, bottom: pixels that the frame is dragged outwards
  growing: false, // the canvas is about to change: nothing is drawn or kept until then
  busy: null, // the job that is running: {key, kind}
  away: false, // the server does not answer
  comparing: false,
  showOriginal: false,
  showUncertainty: false,
};

const listeners = new Map();

/** Call `listener` with what `tell` gives whenever `name` happens. */
export function hear(name, listener) {
  if (!listeners.has(name)) listeners.set(name, []);
  listeners.get(name).push(listener);
}

export function tell(name, data) {
  for (const listener of listeners.get(name) ?? []) listener(data);
}

export const can = (ability) => desk.status.can.includes(ability);
