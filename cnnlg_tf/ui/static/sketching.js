// Strokes in colour: which ink the pen has, a colour taken from the photo, and doing away with all of them.

import { can, desk, hear, tell } from "./desk.js";
import { announce, get, make } from "./dom.js";
import { remember } from "./history.js";
import { toHex } from "./sketch.js";
import { toGlass, view } from "./surface.js";
import { chooseTool, isDrawing } from "./tools.js";

const INKS = [
  ["#000000", "Edge: no colour"],
  ["#ffffff", "White edge"],
  ["#7fb0e6", "Sky blue"],
  ["#2c5a8c", "Deep blue"],
  ["#5f9440", "Leaf green"],
  ["#29502b", "Dark green"],
  ["#c8a878", "Sand"],
  ["#7a4f2e", "Brown"],
  ["#e9b090", "Skin"],
  ["#b5382f", "Red"],
  ["#e7b72f", "Yellow"],
];
let picking = false; // the next place that is pressed gives its colour

function setInk(ink) {
  desk.ink = ink;
  if (ink !== null) get("ink").value = ink;
  const buttons = [...get("inks").children];
  const chosen = buttons.find((button) => (button.dataset.ink || null) === ink);
  for (const button of buttons) {
    button.setAttribute("aria-checked", String(button === chosen));
    button.tabIndex = button === (chosen ?? buttons[0]) ? 0 : -1;
  }
}

function setPicking(on) {
  picking = on;
  get("ink-pick").setAttribute("aria-pressed", String(on));
}

/** Take the colour that the photo has at a place, if one is to be taken; whether it was. */
export function pickAt(x, y) {
  if (!picking) return false;
  setPicking(false);
  const [left, top] = toGlass(x, y).map((side) => Math.round(side * view.density));
  const seen = get("picture").getContext("2d").getImageData(left, top, 1, 1).data;
  if (seen[3]) setInk(toHex([...seen.subarray(0, 3)]));
  announce(`Colour ${desk.ink}`);
  return true;
}

function clear() {
  if (!desk.photo || desk.growing || isDrawing()) return;
  desk.sketch.begin();
  desk.sketch.clear();
  const strokes = desk.sketch.end();
  if (!strokes) return;
  remember({ label: "clearing the sketch", strokes });
  tell("sketch");
  announce("Sketch cleared");
}

function show() {
  get("sketch-clear").disabled = !desk.sketch?.marked;
}

export function startSketching() {
  const inks = [...INKS.map(([ink, name]) => ({ ink, name })), { ink: "", name: "Erase strokes" }];
  get("inks").replaceChildren(
    ...inks.map(({ ink, name }) =>
      make("button", {
        type: "button",
        role: "radio",
        class: ink ? "ink" : "ink none",
        "data-ink": ink,
        "aria-label": name,
        title: name,
      }),
    ),
  );
  for (const button of get("inks").children) {
    if (button.dataset.ink) button.style.background = button.dataset.ink;
  }
  get("inks").addEventListener("click", (event) => {
    const button = event.target.closest("[data-ink]");
    if (button) setInk(button.dataset.ink || null);
  });
  get("inks").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const buttons = [...get("inks").children];
    const next = buttons[(buttons.indexOf(event.target) + step + buttons.length) % buttons.length];
    setInk(next.dataset.ink || null);
    next.focus();
  });
  get("ink").addEventListener("input", (event) => setInk(event.target.value));
  get("ink-pick").addEventListener("click", () => setPicking(!picking));
  get("sketch-clear").addEventListener("click", clear);
  setInk(desk.ink);
  for (const what of ["sketch", "photo"]) hear(what, show);
  hear("tool", () => setPicking(false));
  hear("status", () => {
    document.querySelector('[data-tool="sketch"]').hidden = !can("sketch");
    if (!can("sketch") && desk.tool === "sketch") chooseTool("brush");
  });
}
