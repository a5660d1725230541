// The canvas: where the photo lies on the screen (zoom and pan), and drawing all that is to be seen of it.

import { api, viewAddress } from "./api.js";
import { can, desk, hear, tell } from "./desk.js";
import { get } from "./dom.js";
import { Overlay, SketchOverlay } from "./overlay.js";
import { Pictures } from "./pictures.js";

const picture = get("picture");
const glass = get("glass");
const divider = get("divider");
const MARGIN = 24; // pixels around a fitted photo
const LARGEST = 32; // screen pixels a photo pixel
const ROOM = 0.25; // of a side, to drag the frame into

export const view = { x: 0, y: 0, scale: 1, width: 1, height: 1, density: 1, fitted: true };
let now = null;
let before = null;
let overlay = null;
let strokes = null;
let heat = null;
let split = 0.5; // of the screen's width, where before meets after
let waiting = false;

/** What tools draw over the photo: called with the glass's context. */
export const previews = [];

export function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

function draw() {
  const context = picture.getContext("2d");
  context.setTransform(view.density, 0, 0, view.density, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  const cover = glass.getContext("2d");
  cover.setTransform(view.density, 0, 0, view.density, 0, 0);
  cover.clearRect(0, 0, view.width, view.height);
  if (!desk.photo) return;
  const wide = desk.photo.width * view.scale;
  const high = desk.photo.height * view.scale;
  if (desk.photo.transparent) chequer(context, wide, high);
  if (desk.showOriginal) before.draw(context, view);
  else {
    now.draw(context, view);
    if (desk.comparing) {
      clipped(context, 0, split * view.width, () => {
        context.clearRect(view.x, view.y, wide, high);
        if (desk.photo.transparent) chequer(context, wide, high);
        before.draw(context, view);
      });
    }
    if (heat && desk.showUncertainty) context.drawImage(heat, view.x, view.y, wide, high);
    if (!desk.comparing) {
      overlay.draw(context, view);
      if (can("sketch")) strokes.draw(context, view);
    }
  }
  for (const preview of previews) preview(cover);
}

function clipped(context, left, right, work) {
  context.save();
  context.beginPath();
  context.rect(left, 0, right - left, view.height);
  context.clip();
  work();
  context.restore();
}

function chequer(context, wide, high) {
  const style = getComputedStyle(document.documentElement);
  const tile = new OffscreenCanvas(20, 20);
  const inner = tile.getContext("2d");
  inner.fillStyle = style.getPropertyValue("--check-a");
  inner.fillRect(0, 0, 20, 20);
  inner.fillStyle = style.getPropertyValue("--check-b");
  inner.fillRect(0, 0, 10, 10);
  inner.fillRect(10, 10, 10, 10);
  context.fillStyle = context.createPattern(tile, "repeat");
  context.fillRect(view.x, view.y, wide, high);
}

/** From a place on the screen, in pixels of the window, to the photo's pixels. */
export function toPhoto(clientX, clientY) {
  const frame = glass.getBoundingClientRect();
  return [(clientX - frame.left - view.x) / view.scale, (clientY - frame.top - view.y) / view.scale];
}

/** From the photo's pixels to the glass's. */
export const toGlass = (x, y) => [view.x + x * view.scale, view.y + y * view.scale];

/** What is to be seen at once, [left, top, right, bottom] in the photo's pixels: all of it, and room to extend it. */
function wanted() {
  const { width, height } = desk.photo;
  if (desk.tool !== "extend") return [0, 0, width, height];
  const [left, top, right, bottom] = desk.extension;
  const across = ROOM * (left + width + right);
  const down = ROOM * (top + height + bottom);
  return [-left - across, -top - down, width + right + across, height + bottom + down];
}

function fitScale() {
  const [left, top, right, bottom] = wanted();
  const margin = Math.min(MARGIN, 0.04 * view.width);
  return Math.min((view.width - 2 * margin) / (right - left), (view.height - 2 * margin) / (bottom - top), 8);
}

export function fit() {
  if (!desk.photo) return;
  const [left, top, right, bottom] = wanted();
  view.scale = fitScale();
  view.x = view.width / 2 - (view.scale * (left + right)) / 2;
  view.y = view.height / 2 - (view.scale * (top + bottom)) / 2;
  view.fitted = true;
  moved();
}

/** Zoom so that the place under (x, y) of the glass stays where it is. */
export function zoomTo(scale, x = view.width / 2, y = view.height / 2) {
  if (!desk.photo) return;
  const smallest = Math.min(fitScale() / 2, 1);
  const next = Math.min(LARGEST, Math.max(smallest, scale));
  view.x = x - ((x - view.x) * next) / view.scale;
  view.y = y - ((y - view.y) * next) / view.scale;
  view.scale = next;
  view.fitted = false;
  moved();
}

export function pan(dx, dy) {
  view.x += dx;
  view.y += dy;
  view.fitted = false;
  moved();
}

function moved() {
  // some of the photo always stays on the screen
  const keep = 40;
  view.x = Math.min(view.width - keep, Math.max(keep - desk.photo.width * view.scale, view.x));
  view.y = Math.min(view.height - keep, Math.max(keep - desk.photo.height * view.scale, view.y));
  get("zoom-level").textContent = `${Math.round(100 * view.scale * view.density)} %`;
  redraw();
}

function resized() {
  const frame = get("stage").getBoundingClientRect();
  view.density = window.devicePixelRatio || 1;
  const centre = [(view.width / 2 - view.x) / view.scale, (view.height / 2 - view.y) / view.scale];
  view.width = Math.max(1, frame.width);
  view.height = Math.max(1, frame.height);
  for (const canvas of [picture, glass]) {
    canvas.width = Math.round(view.width * view.density);
    canvas.height = Math.round(view.height * view.density);
  }
  placeDivider();
  if (!desk.photo) return;
  if (view.fitted) fit();
  else {
    view.x = view.width / 2 - centre[0] * view.scale;
    view.y = view.height / 2 - centre[1] * view.scale;
    moved();
  }
}

/** Show another photo, or none. */
export async function showPhoto() {
  for (const old of [now, before]) old?.close();
  heat = null;
  now = before = overlay = strokes = null;
  if (!desk.photo) return redraw();
  now = new Pictures(desk.photo, "now", redraw);
  before = new Pictures(desk.photo, "before", redraw);
  overlay = new Overlay(desk.mask);
  strokes = new SketchOverlay(desk.sketch);
  resized();
  fit();
  await now.load();
}

/** Load what compares, once it is wanted. */
export const needOriginal = () => before?.load();

/** The photo's sides have grown, or shrunk: marks and strokes move along. */
export async function photoGrew(extension) {
  desk.mask = desk.mask.moved(extension);
  desk.sketch = desk.sketch.moved(extension);
  desk.growing = false;
  const shown = showPhoto();
  for (const what of ["mask", "sketch", "repairs"]) tell(what);
  if (desk.showOriginal || desk.comparing) needOriginal();
  if (desk.showUncertainty) await refreshHeat();
  await shown;
}

/** The pixels within a box are others now. */
export async function photoChanged(box) {
  const mine = desk.photo;
  if (desk.showUncertainty) refreshHeat();
  await now.patch(box);
  if (mine === desk.photo) redraw();
}

export async function refreshHeat() {
  const { key, version, width, height } = desk.photo;
  const side = Math.max(16, Math.min(2048, Math.max(width, height)));
  const bitmap = await api.picture(viewAddress(key, { of: "uncertainty", side, version }));
  if (desk.photo?.key === key && desk.photo.version === version) heat = bitmap;
  redraw();
}

function placeDivider() {
  divider.style.left = `${split * view.width}px`;
  divider.setAttribute("aria-valuenow", Math.round(100 * split));
}

export function splitAt(share) {
  split = Math.min(0.98, Math.max(0.02, share));
  placeDivider();
  redraw();
}

export const splitPlace = () => split;

export function startSurface() {
  new ResizeObserver(resized).observe(get("stage"));
  resized();
  hear("mask", redraw);
  hear("sketch", redraw);
  hear("tool", () => (desk.photo && view.fitted ? fit() : redraw()));
}
