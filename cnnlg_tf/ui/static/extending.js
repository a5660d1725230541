// The frame: its sides are dragged outwards, and what is new is painted.

import { api } from "./api.js";
import { desk, hear, tell } from "./desk.js";
import { announce, attempt, get, toast } from "./dom.js";
import { remember } from "./history.js";
import { keepNow } from "./keeping.js";
import { runJob, wishes } from "./repairing.js";
import { fit, photoGrew, previews, redraw, toGlass, view } from "./surface.js";
import { end, isDrawing } from "./tools.js";

const SIDES = ["left", "top", "right", "bottom"];
const OUTWARDS = ["ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"];
const NONE = [0, 0, 0, 0];
const INSIDE = 18; // pixels of the window; handles stay so far within it
const handles = SIDES.map((side) => get(`frame-${side}`));
const fields = SIDES.map((side) => get(`extend-${side}`));
let dragged = null; // {side, from: [x, y] on the window, value}

const isAcross = (side) => side % 2 === 0; // left and right
const lengthOf = (side) => (isAcross(side) ? desk.photo.width : desk.photo.height);

/** The most pixels that a side can grow by while the others stay as they are. */
function most(side) {
  const { width, height } = desk.photo;
  const [left, top, right, bottom] = desk.extension;
  const other = desk.extension[(side + 2) % 4];
  const across = isAcross(side) ? top + height + bottom : left + width + right;
  const byPixels = Math.floor(desk.status.max_pixels / across) - lengthOf(side);
  return Math.max(0, Math.min((desk.status.max_growth - 1) * lengthOf(side), byPixels) - other);
}

function setSide(side, value) {
  desk.extension[side] = Math.min(most(side), Math.max(0, Math.round(value) || 0));
  get("extend-aspect").value = "";
  tell("frame");
}

export function resetFrame() {
  desk.extension = [...NONE];
  get("extend-aspect").value = "";
  tell("frame");
  fitAgain();
}

/** The frame as wide to high as "16:9" says, evenly on both sides. */
function toAspect(text) {
  const [across, down] = text.split(":").map(Number);
  const { width, height } = desk.photo;
  const wide = Math.max(0, Math.round((height * across) / down) - width);
  const high = Math.max(0, Math.round((width * down) / across) - height);
  desk.extension = [...NONE];
  for (const [side, more] of [[0, wide], [1, high]]) {
    if (more > most(side)) toast("The photo cannot grow so far");
    else [desk.extension[side], desk.extension[side + 2]] = [Math.floor(more / 2), Math.ceil(more / 2)];
  }
  tell("frame");
  fitAgain();
}

const fitAgain = () => (view.fitted ? fit() : redraw());

function show() {
  const { photo, extension } = desk;
  if (!photo) return;
  const [left, top, right, bottom] = extension;
  SIDES.forEach((_, side) => {
    if (fields[side] !== document.activeElement) fields[side].value = extension[side];
    fields[side].max = most(side);
    handles[side].setAttribute("aria-valuenow", extension[side]);
    handles[side].setAttribute("aria-valuemax", most(side));
    handles[side].setAttribute("aria-valuetext", `${extension[side]} pixels`);
  });
  get("extend-size").textContent = `${left + photo.width + right} \u00d7 ${top + photo.height + bottom}`;
  get("extend-reset").disabled = !extension.some(Boolean);
  redraw();
}

/** The frame around the photo, what is new between them, and the handles on its sides. */
function draw(context) {
  const shown = desk.tool === "extend" && !desk.comparing && !desk.showOriginal;
  for (const handle of handles) handle.hidden = !shown;
  if (!shown) return;
  const { width, height } = desk.photo;
  const [left, top, right, bottom] = desk.extension;
  const [x0, y0] = toGlass(-left, -top);
  const [x1, y1] = toGlass(width + right, height + bottom);
  const path = new Path2D();
  path.rect(x0, y0, x1 - x0, y1 - y0);
  const added = new Path2D(path);
  added.rect(...toGlass(0, 0), width * view.scale, height * view.scale);
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  context.save();
  context.globalAlpha = 0.28;
  context.fillStyle = colour;
  context.fill(added, "evenodd");
  context.globalAlpha = 1;
  context.lineWidth = 2;
  context.strokeStyle = "#fff";
  context.stroke(path);
  context.setLineDash([6, 5]);
  context.strokeStyle = colour;
  context.stroke(path);
  context.restore();
  const within = (value, whole) => Math.min(whole - INSIDE, Math.max(INSIDE, value));
  const middle = (from, to, whole) => (within(from, whole) + within(to, whole)) / 2;
  const places = [
    [x0, middle(y0, y1, view.height)],
    [middle(x0, x1, view.width), y0],
    [x1, middle(y0, y1, view.height)],
    [middle(x0, x1, view.width), y1],
  ];
  handles.forEach((handle, side) => {
    handle.style.left = `${within(places[side][0], view.width)}px`;
    handle.style.top = `${within(places[side][1], view.height)}px`;
  });
}

function startHandle(handle, side) {
  const sign = side < 2 ? -1 : 1;
  handle.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    handle.setPointerCapture(event.pointerId);
    dragged = { side, from: [event.clientX, event.clientY], value: desk.extension[side] };
  });
  handle.addEventListener("pointermove", (event) => {
    if (dragged?.side !== side) return;
    const by = isAcross(side) ? event.clientX - dragged.from[0] : event.clientY - dragged.from[1];
    setSide(side, dragged.value + (sign * by) / view.scale);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    handle.addEventListener(name, () => {
      dragged = null;
      fitAgain();
    });
  }
  handle.addEventListener("keydown", (event) => {
    const length = lengthOf(side);
    const fine = event.shiftKey ? 1 : Math.max(1, Math.round(length / 50));
    const larger = isAcross(side) ? "ArrowUp" : "ArrowRight";
    const smaller = isAcross(side) ? "ArrowDown" : "ArrowLeft";
    const step = {
      [OUTWARDS[side]]: fine,
      [OUTWARDS[(side + 2) % 4]]: -fine,
      [larger]: fine,
      [smaller]: -fine,
      PageUp: Math.round(length / 5),
      PageDown: -Math.round(length / 5),
      Home: -Infinity,
      End: Infinity,
    }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    setSide(side, step === Infinity ? most(side) : Math.max(0, desk.extension[side] + step));
    fitAgain();
  });
}

async function extend() {
  if (!desk.photo || desk.busy) return;
  if (!desk.extension.some(Boolean)) {
    toast("Drag a side of the frame outwards first");
    return;
  }
  if (isDrawing()) end();
  const { photo } = desk;
  const extension = SIDES.map((side, i) => `${side}=${desk.extension[i]}`).join(",");
  await attempt(() => keepNow());
  desk.growing = true;
  const result = await runJob("extend", () => api.extend(photo.key, { extension, ...wishes() }));
  if (desk.photo !== photo) return;
  desk.growing = false;
  if (!result) return;
  Object.assign(photo, result);
  resetFrame();
  remember({ label: "extending", repair: true, extends: true });
  await attempt(() => photoGrew(result.extension));
  if (result.choices > 1) tell("choose");
  announce(`Extended to ${photo.width} by ${photo.height} pixels in ${result.seconds.toFixed(1)} seconds`);
}

export function startExtending() {
  previews.push(draw);
  handles.forEach(startHandle);
  fields.forEach((field, side) => {
    field.addEventListener("input", () => setSide(side, Number(field.value)));
    field.addEventListener("change", () => {
      field.value = desk.extension[side];
      fitAgain();
    });
  });
  get("extend-aspect").addEventListener("change", (event) => event.target.value && toAspect(event.target.value));
  get("extend-reset").addEventListener("click", resetFrame);
  hear("extend", extend);
  for (const what of ["frame", "photo", "repairs", "status"]) hear(what, show);
}
