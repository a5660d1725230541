// What each tool does between pen down and pen up: strokes on the mask, shapes that are filled at the end.

import { desk, hear, tell } from "./desk.js";
import { announce, get, slider } from "./dom.js";
import { remember } from "./history.js";
import { capsule, polygon, rectangle } from "./shapes.js";
import { previews, redraw, toGlass, view } from "./surface.js";

const ROUND = new Set(["brush", "eraser", "line"]);
const SMALLEST = 1;
let stroke = null; // {tool, value, points: [[x, y], ...]}
let sizeSlider = null;

/** Where the pen is over the photo, in its pixels, or null: shown as the brush's outline. */
export const pen = { place: null, byKeys: false };

export function chooseTool(tool) {
  desk.tool = tool;
  for (const button of get("tools").querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", button.dataset.tool === tool);
  }
  get("glass").dataset.tool = tool;
  get("brush-section").hidden = !ROUND.has(tool);
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
  if (!desk.photo || stroke) return;
  stroke = { tool: desk.tool, value: (desk.tool === "eraser") === erase ? 1 : 0, points: [[x, y]], radius: desk.size / 2 };
  desk.mask.begin();
  if (stroke.tool === "brush" || stroke.tool === "eraser") capsule(desk.mask, x, y, x, y, stroke.radius, stroke.value);
  redraw();
}

export function move(x, y) {
  if (!stroke) return;
  const [lastX, lastY] = stroke.points.at(-1);
  if (x === lastX && y === lastY) return;
  if (stroke.tool === "brush" || stroke.tool === "eraser") {
    capsule(desk.mask, lastX, lastY, x, y, stroke.radius, stroke.value);
    stroke.points = [[x, y]];
  } else if (stroke.tool === "lasso") stroke.points.push([x, y]);
  else stroke.points = [stroke.points[0], [x, y]];
  redraw();
}

/** Pen up: the stroke counts. */
export function end() {
  if (!stroke) return;
  const { tool, value, points, radius } = stroke;
  const [from, to] = [points[0], points.at(-1)];
  if (tool === "line") capsule(desk.mask, ...from, ...to, radius, value);
  if (tool === "rectangle") rectangle(desk.mask, ...from, ...to, value);
  if (tool === "lasso" && points.length > 2) polygon(desk.mask, points, value);
  stroke = null;
  const tiles = desk.mask.end();
  if (tiles) {
    remember({ label: value ? tool : "erasing", tiles });
    tell("mask");
    tell("stroke", value);
  } else redraw();
}

/** The stroke does not count after all: a second finger came. */
export function abandon() {
  if (!stroke) return;
  stroke = null;
  const tiles = desk.mask.end();
  if (tiles) desk.mask.restore(tiles.before);
  tell("mask");
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
  if (!pen.place || desk.comparing || desk.showOriginal || desk.tool === "hand") return;
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
    // a brush that looks the same on every photo: 1/25 of its longer side
    if (desk.photo) setSize(Math.max(8, Math.max(desk.photo.width, desk.photo.height) / 25));
  });
}
