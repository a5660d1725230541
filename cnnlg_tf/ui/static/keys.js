// The keyboard: commands everywhere, and a pen that arrow keys move when the canvas has the focus.

import { desk, hear, tell } from "./desk.js";
import { announce, get, make } from "./dom.js";
import { openSave } from "./files.js";
import { step } from "./folder.js";
import { redo, undo } from "./history.js";
import { resetFrame } from "./extending.js";
import { clear, grow, invert } from "./marking.js";
import { held } from "./pointer.js";
import { act, cancel } from "./repairing.js";
import { pickAt } from "./sketching.js";
import { fit, needOriginal, pan, redraw, toGlass, view, zoomTo } from "./surface.js";
import { abandon, begin, chooseTool, end, isDrawing, move, movesView, pen, stepSize } from "./tools.js";

const HELP = [
  ["B, E, L, R, A, H", "brush, eraser, line, rectangle, lasso, move the view"],
  ["S, F", "sketch; extend the frame, whose handles arrow keys move"],
  ["[  ]", "smaller or larger brush; Alt and wheel too"],
  ["Alt or right button", "erase with any tool"],
  ["Wheel, + and -", "zoom; 0 fits the window, 1 shows 100 %"],
  ["Space and drag", "move the view"],
  ["Arrow keys", "move the pen on the photo, with Shift by one pixel"],
  ["Enter", "on the photo: pen down, pen up"],
  ["Ctrl + Enter", "repair"],
  ["Escape", "cancel"],
  ["Ctrl + Z, Ctrl + Shift + Z", "undo, redo"],
  ["O, held", "see the original"],
  ["C", "compare before and after"],
  ["I, Shift + I", "grow or shrink the marked part; X inverts, Delete clears"],
  ["Ctrl + S, Ctrl + O", "save, open"],
  ["Page Up, Page Down", "previous and next photo of the folder"],
];
const TOOL_KEYS = { b: "brush", e: "eraser", l: "line", r: "rectangle", a: "lasso", h: "hand", s: "sketch", f: "extend" };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export async function compare(on = !desk.comparing) {
  if (!desk.photo) return;
  desk.comparing = on;
  get("divider").hidden = !on;
  get("compare").setAttribute("aria-pressed", on);
  if (on) await needOriginal();
  redraw();
  tell("tool");
}

export async function original(on) {
  if (!desk.photo || desk.showOriginal === on) return;
  desk.showOriginal = on;
  get("original").setAttribute("aria-pressed", on);
  if (on) await needOriginal();
  redraw();
}

function withControl(event) {
  const key = event.key.toLowerCase();
  if (key === "z") (event.shiftKey ? redo : undo)();
  else if (key === "y") redo();
  else if (key === "s") openSave();
  else if (key === "o") get("file").click();
  else if (key === "enter") act();
  else return false;
  return true;
}

function penKey(event) {
  if (event.key === "Enter") {
    pen.place ??= [(view.width / 2 - view.x) / view.scale, (view.height / 2 - view.y) / view.scale];
    pen.byKeys = true;
    if (pickAt(...pen.place)) return true;
    if (isDrawing()) {
      end();
      announce("Pen up");
    } else if (!movesView(desk.tool) && !desk.comparing) {
      begin(...pen.place, event.altKey);
      announce("Pen down");
    }
    redraw();
    return true;
  }
  const arrow = ARROWS[event.key];
  if (!arrow) return false;
  if (movesView(desk.tool) || desk.comparing) {
    pan(-40 * arrow[0], -40 * arrow[1]);
    return true;
  }
  pen.place ??= [(view.width / 2 - view.x) / view.scale, (view.height / 2 - view.y) / view.scale];
  const by = event.shiftKey ? 1 : Math.max(1, 12 / view.scale);
  const { width, height } = desk.photo;
  pen.place = [
    Math.min(width, Math.max(0, pen.place[0] + by * arrow[0])),
    Math.min(height, Math.max(0, pen.place[1] + by * arrow[1])),
  ];
  pen.byKeys = true;
  const [x, y] = toGlass(...pen.place);
  if (x < 20 || x > view.width - 20) pan(-Math.sign(x - 20) * 0.3 * view.width, 0);
  if (y < 20 || y > view.height - 20) pan(0, -Math.sign(y - 20) * 0.3 * view.height);
  move(...pen.place);
  redraw();
  return true;
}

function plain(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const onGlass = event.target === get("glass");
  if (onGlass && penKey(event)) return true;
  if (TOOL_KEYS[key]) chooseTool(TOOL_KEYS[key]);
  else if (key === "[") stepSize(-1);
  else if (key === "]") stepSize(1);
  else if (key === "+" || key === "=") zoomTo(view.scale * 1.25);
  else if (key === "-") zoomTo(view.scale / 1.25);
  else if (key === "0") fit();
  else if (key === "1") zoomTo(1 / view.density);
  else if (key === "c") compare();
  else if (key === "o") original(true);
  else if (key === "i") grow(event.shiftKey ? -1 : 1);
  else if (key === "x") invert();
  else if (key === "Delete" || key === "Backspace") clear();
  else if (key === "PageUp") step(-1);
  else if (key === "PageDown") step(1);
  else if (key === "?") openHelp();
  else if (key === "Escape") {
    if (isDrawing()) abandon();
    else if (desk.busy) cancel();
    else if (desk.tool === "extend" && !desk.comparing) resetFrame();
    else compare(false);
  } else if (key === " " && (onGlass || event.target === document.body)) {
    held.space = true;
    get("glass").style.cursor = "grab";
  } else return false;
  return true;
}

const types = (target) => target.matches?.('input:not([type="range"]):not([type="checkbox"]), select, textarea');

export function openHelp() {
  get("help-dialog").showModal();
}

export function startKeys() {
  get("keys").replaceChildren(
    ...HELP.flatMap(([keys, what]) => [make("dt", {}, make("kbd", { text: keys })), make("dd", { text: what })]),
  );
  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || !desk.photo || types(event.target)) {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "o" && !desk.photo) {
        event.preventDefault();
        get("file").click();
      }
      return;
    }
    const onSlider = event.target.matches?.('input[type="range"], [role="slider"], [role="radio"]');
    if (onSlider && (ARROWS[event.key] || event.key.startsWith("Page"))) return;
    const did = event.ctrlKey || event.metaKey ? withControl(event) : plain(event);
    if (did) event.preventDefault();
  });
  addEventListener("keyup", (event) => {
    if (event.key === " ") {
      held.space = false;
      get("glass").style.cursor = "";
    }
    if (event.key.toLowerCase() === "o") original(false);
  });
  addEventListener("blur", () => {
    held.space = false;
    original(false);
  });
  const hold = get("original");
  hold.addEventListener("pointerdown", () => original(true));
  for (const name of ["pointerup", "pointerleave", "pointercancel"]) hold.addEventListener(name, () => original(false));
  hold.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    original(true);
  });
  hold.addEventListener("keyup", () => original(false));
  get("compare").addEventListener("click", () => compare());
  get("help").addEventListener("click", openHelp);
  get("zoom-in").addEventListener("click", () => zoomTo(view.scale * 1.25));
  get("zoom-out").addEventListener("click", () => zoomTo(view.scale / 1.25));
  get("zoom-fit").addEventListener("click", fit);
  hear("photo", () => compare(false));
}
