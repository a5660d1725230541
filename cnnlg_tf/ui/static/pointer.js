// Mouse, touch and pen on the canvas: one finger or the mouse draws, two fingers move and zoom the view.

import { desk } from "./desk.js";
import { get } from "./dom.js";
import { pan, redraw, splitAt, splitPlace, toPhoto, view, zoomTo } from "./surface.js";
import { pickAt } from "./sketching.js";
import { abandon, begin, end, isDrawing, move, movesView, pen, stepSize } from "./tools.js";

const glass = get("glass");
const divider = get("divider");
const fingers = new Map(); // pointerId -> [x, y] on the window
let panning = null; // [x, y] of the last move
let penSeen = false; // once a pen has drawn, fingers only move the view
export const held = { space: false };

const pansBy = (event) =>
  movesView(desk.tool) || desk.comparing || held.space || event.button === 1 || (penSeen && event.pointerType === "touch");

function down(event) {
  if (!desk.photo || (event.pointerType === "mouse" && event.button > 2)) return;
  glass.classList.add("by-pointer");
  glass.focus({ preventScroll: true });
  glass.setPointerCapture(event.pointerId);
  event.preventDefault();
  if (event.pointerType === "pen") penSeen = true;
  if (event.pointerType === "touch") {
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size > 1) {
      abandon();
      panning = null;
      return;
    }
  }
  if (pansBy(event)) {
    panning = [event.clientX, event.clientY];
    return;
  }
  pen.byKeys = false;
  if (pickAt(...toPhoto(event.clientX, event.clientY))) return;
  const erase = event.altKey || event.button === 2 || (event.buttons & 32) !== 0; // a pen's other end
  begin(...toPhoto(event.clientX, event.clientY), erase);
}

function moving(event) {
  if (fingers.has(event.pointerId) && fingers.size > 1) return pinch(event);
  if (panning) {
    pan(event.clientX - panning[0], event.clientY - panning[1]);
    panning = [event.clientX, event.clientY];
    return;
  }
  if (isDrawing() && (event.buttons || fingers.has(event.pointerId))) {
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const each of steps.length ? steps : [event]) move(...toPhoto(each.clientX, each.clientY));
  }
  pen.place = toPhoto(event.clientX, event.clientY);
  pen.byKeys = false;
  redraw();
}

function pinch(event) {
  const old = [...fingers.values()].slice(0, 2);
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  const fresh = [...fingers.values()].slice(0, 2);
  const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const apart = ([a, b]) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
  const [ox, oy] = middle(old);
  const [nx, ny] = middle(fresh);
  const frame = glass.getBoundingClientRect();
  pan(nx - ox, ny - oy);
  zoomTo((view.scale * apart(fresh)) / apart(old), nx - frame.left, ny - frame.top);
}

function up(event) {
  const wasPinch = fingers.size > 1;
  fingers.delete(event.pointerId);
  panning = null;
  if (event.type === "pointercancel") abandon();
  else if (!wasPinch) end();
  if (event.pointerType === "touch") pen.place = null;
  redraw();
}

function wheel(event) {
  if (!desk.photo) return;
  event.preventDefault();
  const amount = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
  if (event.altKey) stepSize(Math.sign(-amount || -event.deltaX));
  else if (event.shiftKey) pan(-(event.deltaX || amount), 0);
  else {
    const frame = glass.getBoundingClientRect();
    const speed = event.ctrlKey ? 0.01 : 0.0018; // ctrl: a pinch on a trackpad
    zoomTo(view.scale * Math.exp(-amount * speed), event.clientX - frame.left, event.clientY - frame.top);
  }
}

export function startPointer() {
  glass.addEventListener("pointerdown", down);
  glass.addEventListener("pointermove", moving);
  glass.addEventListener("pointerup", up);
  glass.addEventListener("pointercancel", up);
  glass.addEventListener("pointerleave", () => {
    if (!isDrawing() && !pen.byKeys) pen.place = null;
    redraw();
  });
  glass.addEventListener("keydown", () => glass.classList.remove("by-pointer"));
  glass.addEventListener("blur", () => glass.classList.remove("by-pointer"));
  glass.addEventListener("contextmenu", (event) => event.preventDefault());
  get("stage").addEventListener("wheel", wheel, { passive: false });

  divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
  divider.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    const frame = glass.getBoundingClientRect();
    splitAt((event.clientX - frame.left) / frame.width);
  });
  divider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    splitAt(splitPlace() + step);
  });
}
