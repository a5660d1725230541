// The mask as a whole: clear, invert, grow, load, save, find damage.

import { api } from "./api.js";
import { decodeBits } from "./bits.js";
import { can, desk, hear, tell } from "./desk.js";
import { announce, attempt, get, later, make, percent, slider, toast } from "./dom.js";
import { prolong, remember } from "./history.js";
import { keepNow, maskKeeper } from "./keeping.js";
import { runJob } from "./repairing.js";
import { isDrawing } from "./tools.js";

/** Change the mask as one step of the history; returns the entry, or null if nothing changed. */
function change(label, work) {
  if (!desk.photo || desk.growing || isDrawing()) return null;
  desk.mask.begin();
  work(desk.mask);
  const tiles = desk.mask.end();
  if (!tiles) return null;
  const entry = { label, tiles };
  remember(entry);
  tell("mask");
  announce(`${label}: ${percent(desk.mask.share)} of the photo marked`);
  return entry;
}

export const clear = () => change("clearing", (mask) => mask.clear());
export const invert = () => change("inverting", (mask) => mask.invert());

export async function grow(direction) {
  const by = Math.round(Math.min(64, Math.max(1, Number(get("grow-by").value) || 1)));
  if (!desk.photo || desk.growing || !desk.mask.marked) return;
  await attempt(async () => {
    const { photo } = desk;
    maskKeeper.changed();
    await keepNow();
    const { rows } = await decodeBits(await api.grow(photo.key, direction * by));
    if (desk.photo === photo) change(direction > 0 ? "growing" : "shrinking", (mask) => mask.addRows(rows, true));
  });
}

/** Load a mask from a picture file, in place of the one that is there. */
export async function loadMask(file) {
  await attempt(async () => {
    const { photo } = desk;
    await keepNow();
    await api.keepMask(photo.key, file);
    const { rows } = await decodeBits(await api.mask(photo.key));
    if (desk.photo !== photo) return;
    if (!change("loading a mask", (mask) => mask.addRows(rows, true))) toast("The mask is the one that was there");
  });
}

async function saveMask() {
  const name = `${desk.photo.name.replace(/\.[^.]*$/, "")}_mask.png`;
  const address = URL.createObjectURL(await desk.mask.toPng());
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

let setSensitivity = null;
let found = null; // {photo, own: the mask before, entry} of the latest search

async function findDamage() {
  const { photo } = desk;
  const own = desk.mask.snapshot();
  const result = await runJob("search", () => api.findDamage(photo.key));
  if (!result || desk.photo !== photo) return;
  found = { photo, own, entry: null };
  setSensitivity(50);
  get("sensitivity-row").hidden = false;
  await takeDamage();
}

const takeDamage = async () => {
  const mine = found;
  if (!mine || mine.photo !== desk.photo) return;
  await attempt(async () => {
    const { rows } = await decodeBits(await api.damage(mine.photo.key, get("sensitivity").value / 100));
    if (found !== mine || mine.photo !== desk.photo || isDrawing()) return;
    desk.mask.begin();
    desk.mask.addRows(rows, true);
    desk.mask.mark(mine.own);
    const tiles = desk.mask.end();
    if (tiles && !(mine.entry && prolong(mine.entry, tiles))) {
      mine.entry = { label: "finding damage", tiles };
      remember(mine.entry);
    }
    tell("mask");
    announce(`Damage found: ${percent(desk.mask.share)} of the photo is marked`);
    if (!tiles && !mine.entry) toast("No damage found at this sensitivity");
  });
};

function show() {
  const share = desk.photo ? desk.mask.share : 0;
  get("mask-share").textContent = percent(share);
  for (const id of ["mask-clear", "mask-grow", "mask-shrink", "mask-save"]) get(id).disabled = share === 0;
}

export function startMarking() {
  get("mask-clear").addEventListener("click", clear);
  get("mask-invert").addEventListener("click", invert);
  get("mask-grow").addEventListener("click", () => grow(1));
  get("mask-shrink").addEventListener("click", () => grow(-1));
  get("mask-save").addEventListener("click", saveMask);
  get("mask-load").addEventListener("click", () => get("mask-file").click());
  get("mask-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) loadMask(file);
  });
  get("find-damage").addEventListener("click", findDamage);
  setSensitivity = slider("sensitivity", (value) => `${value} %`, later(80, takeDamage)).set;
  hear("mask", show);
  hear("photo", () => {
    found = null;
    get("sensitivity-row").hidden = true;
    show();
  });
  hear("repairs", () => {
    found = null; // what is repaired is damaged no more
    get("sensitivity-row").hidden = true;
  });
  hear("status", () => (get("damage-section").hidden = !can("find_damage")));
}
