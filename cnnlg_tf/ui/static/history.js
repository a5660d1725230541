// Undo and redo, of the mask and of repairs alike, in the order in which they were done.
//
// An entry is a change of the mask or of the sketch (packed tiles before and after), a repair, which the server keeps, or
// all: a repair unmarks what it covered and does away with the strokes that it followed. An extension is a repair of a
// canvas that grows; marks and strokes move along.

import { api } from "./api.js";
import { decodeBits } from "./bits.js";
import { desk, hear, tell } from "./desk.js";
import { announce, attempt, get } from "./dom.js";
import { keepNow } from "./keeping.js";
import { Mask } from "./mask.js";
import { photoChanged, photoGrew } from "./surface.js";

const MOST_BYTES = 200e6;
let done = [];
let undone = [];
let working = false;

function bytesOf(entry) {
  let sum = 0;
  for (const change of [entry.tiles, entry.strokes]) {
    for (const tiles of change ? [change.before, change.after] : []) {
      for (const tile of tiles.values()) sum += tile?.length ?? 0;
    }
  }
  return sum;
}

function show() {
  get("undo").disabled = !done.length || working;
  get("redo").disabled = !undone.length || working;
}

/** Something was done: {label, tiles} of a mask change, {label, strokes} of a sketch, {label, repair: true, tiles, strokes}
 *  of a repair, {label, repair: true, extends: true} of an extension. */
export function remember(entry) {
  done.push(entry);
  undone = [];
  let held = done.reduce((sum, each) => sum + bytesOf(each), 0);
  while (held > MOST_BYTES && done.length > 1 && !done[0].repair) held -= bytesOf(done.shift());
  show();
}

/** The last entry takes over a further change of the mask: a slider that goes on. */
export function prolong(entry, tiles) {
  if (done.at(-1) !== entry) return false;
  for (const [index, tile] of tiles.before) {
    if (!entry.tiles.before.has(index)) entry.tiles.before.set(index, tile);
  }
  for (const [index, tile] of tiles.after) entry.tiles.after.set(index, tile);
  return true;
}

/** Begin anew with the repairs that the server knows of. */
export function startHistory() {
  const entry = () => ({ label: "repair", repair: true, tiles: null });
  done = Array.from({ length: desk.photo?.repairs ?? 0 }, entry);
  undone = Array.from({ length: desk.photo?.undone ?? 0 }, entry);
  show();
}

async function step(from, to, isUndo) {
  if (working || desk.busy || !from.length) return;
  working = true;
  show();
  const entry = from.at(-1);
  await attempt(async () => {
    if (entry.repair) await moveRepair(entry, isUndo);
    else moveLayers(entry, isUndo);
    from.pop();
    to.push(entry);
    announce(`${isUndo ? "Undone" : "Redone"}: ${entry.label}`);
  });
  desk.growing = false;
  working = false;
  show();
}

async function moveRepair(entry, isUndo) {
  // of an earlier visit to the page only the server knows whether it extends the photo
  const known = entry.extends || entry.tiles;
  await keepNow();
  desk.growing = entry.extends || !known;
  const { changed, extension, ...state } = await (isUndo ? api.undo : api.redo)(desk.photo.key);
  Object.assign(desk.photo, state);
  if (extension.some(Boolean)) {
    entry.label = "extending";
    entry.extends = true;
    await photoGrew(extension);
    return;
  }
  desk.growing = false;
  if (known) moveLayers(entry, isUndo);
  else await moveHole(entry, isUndo, isUndo ? state.repairs : state.repairs - 1);
  tell("repairs");
  await photoChanged(changed);
}

function moveLayers({ tiles, strokes }, isUndo) {
  const which = isUndo ? "before" : "after";
  if (tiles) {
    desk.mask.restore(tiles[which]);
    tell("mask");
  }
  if (strokes) {
    desk.sketch.restore(strokes[which]);
    tell("sketch");
  }
}

/** The mask around a repair of an earlier visit: the server knows what the repair covered. */
async function moveHole(entry, isUndo, number) {
  const { rows } = await decodeBits(await api.hole(desk.photo.key, number));
  const hole = new Mask(desk.photo.width, desk.photo.height);
  hole.addRows(rows, false);
  desk.mask.begin();
  if (isUndo) desk.mask.addRows(rows, false);
  else desk.mask.erase(hole.tilesOf(hole.snapshot()));
  const change = desk.mask.end() ?? { before: new Map(), after: new Map() };
  entry.tiles = isUndo ? { before: change.after, after: change.before } : change;
  tell("mask");
}

export const undo = () => step(done, undone, true);
export const redo = () => step(undone, done, false);

export function startHistoryButtons() {
  get("undo").addEventListener("click", undo);
  get("redo").addEventListener("click", redo);
  hear("photo", startHistory);
  show();
}
