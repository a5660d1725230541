// What each tool does between pen down and pen up: strokes on the mask or the sketch, shapes that are filled at the end.

import { can, desk, hear, tell } from "./desk.js";
import { announce, get, slider } from "./dom.js";
import { remember } from "./history.js";
import { capsule, polygon, rectangle } from "./shapes.js";
import { previews, redraw, toGlass, view } from "./surface.js";

const ROUND = new Set(["brush", "eraser", "line", "sketch"]);
const FREE = new Set(["brush", "eraser", "sketch"]); // drawn as the pen goes
const SMALLEST = 1;
let stroke = null; // {tool, layer, value, points: [[x, y], ...]}
let sizeSlider = null;
const sizes = { mask: 40, sketch: 4 }; // pixels; a sketch is drawn with a finer pen

const layerOf = (tool) => (tool === "sketch" ? "sketch" : "mask");

/** Whether a tool moves the view where others draw. */
export const movesView = (tool) => tool === "hand" || tool === "extend";

/** Where the pen is over the photo, in its pixels, or null: shown as the brush's outline. */
export const pen = { place: null, byKeys: false };

export function chooseTool(tool) {
  if (tool === "sketch" && !can("sketch")) return;
  sizes[layerOf(desk.tool)] = desk.size;
  desk.tool = tool;
  setSize(sizes[layerOf(tool)]);
  for (const button of get("tools").querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", button.dataset.tool === tool);
  }
  get("glass").dataset.tool = tool;
  get("brush-section").hidden = !ROUND.has(tool);
  get("sketch-section").hidden = tool !== "sketch";
  get("extend-section").hidden = tool !== "extend";
  announce(`${get("tools").querySelector(`[data-tool="${tool}"]`).textContent.trim()}`);
  tell("tool");
}

const largestSize = () => Math.max(64, Math.min(2000, desk.photo ? Math.max(desk.photo.width, desk.photo.height) / 2 : 400));
const fromSlider = (value) => SMALLEST * (largestSize() / SMALLEST) ** (value / 100);
const toSlider = (size) => (100 * Math.log(size / SMALLEST)) / Math.log(largestSize() / SMALLEST);

export function setSize(size) {
  desk.size = Math.round(Math.min(largestSize(), Math.max(SMALLEST, size)));
  sizeSlider.set(toSlider(desk.size));
  get("size-value").textContent = `${desk.size} px`;
  get("size").setAttribute("aria-valuetext", `${desk.size} px`);
  redraw();
}

/** One step larger (1) or smaller (-1). */
export const stepSize = (direction) => setSize(Math.max(desk.size + direction, desk.size * 1.15 ** direction));

export const isDrawing = () => stroke !== null;

/** Pen down. `erase` turns a marking tool around. */
export function begin(x, y, erase = false) {
  if (!desk.photo || stroke || desk.growing || movesView(desk.tool)) return;
  const { tool, sketch, ink } = desk;
  const layer = layerOf(tool);
  let value = (tool === "eraser") === erase ? 1 : 0;
  if (layer === "sketch") value = erase || ink === null ? 0 : sketch.inkOf(ink);
  stroke = { tool, layer, value, points: [[x, y]], radius: desk.size / 2 };
  desk[layer].begin();
  if (FREE.has(tool)) capsule(desk[layer], x, y, x, y, stroke.radius, value);
  redraw();
}

export function move(x, y) {
  if (!stroke) return;
  const [lastX, lastY] = stroke.points.at(-1);
  if (x === lastX && y === lastY) return;
  if (FREE.has(stroke.tool)) {
    capsule(desk[stroke.layer], lastX, lastY, x, y, stroke.radius, stroke.value);
    stroke.points = [[x, y]];
  } else if (stroke.tool === "lasso") stroke.points.push([x, y]);
  else stroke.points = [stroke.points[0], [x, y]];
  redraw();
}

/** Pen up: the stroke counts. */
export function end() {
  if (!stroke) return;
  const { tool, layer, value, points, radius } = stroke;
  const [from, to] = [points[0], points.at(-1)];
  if (tool === "line") capsule(desk.mask, ...from, ...to, radius, value);
  if (tool === "rectangle") rectangle(desk.mask, ...from, ...to, value);
  if (tool === "lasso" && points.length > 2) polygon(desk.mask, points, value);
  stroke = null;
  const tiles = desk[layer].end();
  if (tiles) {
    remember({ label: value ? tool : "erasing", [layer === "mask" ? "tiles" : "strokes"]: tiles });
    tell(layer);
    if (layer === "mask") tell("stroke", value);
  } else redraw();
}

/** The stroke does not count after all: a second finger came. */
export function abandon() {
  if (!stroke) return;
  const { layer } = stroke;
  stroke = null;
  const tiles = desk[layer].end();
  if (tiles) desk[layer].restore(tiles.before);
  tell(layer);
}

function outline(context, path) {
  context.lineWidth = 3;
  context.strokeStyle = "#000a";
  context.stroke(path);
  context.lineWidth = 1.2;
  context.strokeStyle = "#fff";
  context.stroke(path);
}

function drawStroke(context) {
  if (!stroke || stroke.points.length < 2) return;
  const points = stroke.points.map(([x, y]) => toGlass(x, y));
  const path = new Path2D();
  const [x0, y0] = points[0];
  const [x1, y1] = points.at(-1);
  if (stroke.tool === "rectangle") {
    path.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
    context.fillStyle = "rgba(255,46,99,.3)";
    context.fill(path);
    outline(context, path);
  } else if (stroke.tool === "lasso") {
    points.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
    path.closePath();
    context.fillStyle = "rgba(255,46,99,.3)";
    context.fill(path, "evenodd");
    outline(context, path);
  } else if (stroke.tool === "line") {
    context.lineCap = "round";
    context.lineWidth = Math.max(1, 2 * stroke.radius * view.scale);
    context.strokeStyle = "rgba(255,46,99,.55)";
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
  }
}

function drawPen(context) {
  if (!pen.place || desk.comparing || desk.showOriginal || movesView(desk.tool)) return;
  const [x, y] = toGlass(...pen.place);
  const path = new Path2D();
  if (ROUND.has(desk.tool)) path.arc(x, y, Math.max(1.5, (desk.size / 2) * view.scale), 0, 2 * Math.PI);
  if (pen.byKeys || desk.size * view.scale > 80 || !ROUND.has(desk.tool)) {
    path.moveTo(x - 7, y);
    path.lineTo(x + 7, y);
    path.moveTo(x, y - 7);
    path.lineTo(x, y + 7);
  }
  outline(context, path);
}

export function startTools() {
  previews.push(drawStroke, drawPen);
  sizeSlider = slider("size", (value) => `${Math.round(fromSlider(value))} px`, (value) => {
    desk.size = Math.max(SMALLEST, Math.round(fromSlider(value)));
    redraw();
  });
  get("tools").addEventListener("click", (event) => {
    const button = event.target.closest("[data-tool]");
    if (button) chooseTool(button.dataset.tool);
  });
  hear("photo", () => {
    stroke = null;
    if (!desk.photo) return;
    // a brush that looks the same on every photo: 1/25 of its longer side, and a pen of 1/150
    const side = Math.max(desk.photo.width, desk.photo.height);
    Object.assign(sizes, { mask: Math.max(8, side / 25), sketch: Math.max(2, side / 150) });
    setSize(sizes[layerOf(desk.tool)]);
  });
}
