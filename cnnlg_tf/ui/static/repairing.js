// Jobs, watched and cancelled; repairs, the variants to choose from and the map of doubt.

import { api, viewAddress, watch } from "./api.js";
import { can, desk, hear, tell } from "./desk.js";
import { announce, attempt, get, make, seconds, slider, toast } from "./dom.js";
import { remember } from "./history.js";
import { sketchKeeper } from "./keeping.js";
import { photoChanged, redraw, refreshHeat } from "./surface.js";
import { isDrawing } from "./tools.js";

const PATIENCE = 150; // milliseconds until progress is shown
const WORDS = { repair: "Repairing", extend: "Extending", search: "Looking for damage" };
let again = false; // a stroke came while a repair ran
let seed = 0;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Run a job to its end; gives what its event `done` said, or null. */
export async function runJob(kind, start) {
  if (desk.busy) return null;
  const { photo } = desk;
  const mine = { kind, key: null };
  desk.busy = mine;
  show();
  progress(kind, { share: 0, seconds_left: null });
  const shown = setTimeout(() => {
    if (desk.busy === mine) get("progress").hidden = false;
  }, PATIENCE);
  const result = await attempt(async () => {
    mine.key = (await start()).job;
    if (mine.cancelled) api.cancel(mine.key);
    const [name, data] = await watch(mine.key, (_, told) => desk.busy === mine && progress(kind, told));
    if (name === "done") return data;
    if (desk.photo !== photo) return null;
    if (name === "failed") toast(data.error, true);
    announce(name === "failed" ? `Failed: ${data.error}` : "Cancelled");
    return null;
  });
  clearTimeout(shown);
  if (desk.busy === mine) {
    desk.busy = null;
    get("progress").hidden = true;
    show();
  }
  return result ?? null;
}

function progress(kind, { share, seconds_left }) {
  const bar = get("progress-bar");
  if (share > 0) bar.value = share;
  else bar.removeAttribute("value");
  const opening = desk.status.state === "opening" ? "Opening the model" : WORDS[kind];
  const left = seconds_left === null ? "" : `, ${seconds(seconds_left)} left`;
  get("progress-text").textContent = share > 0 ? `${opening}: ${Math.round(100 * share)} %${left}` : `${opening}\u2026`;
}

/** How what is to be painted is wanted; every call draws other variants. */
export function wishes() {
  seed += 1;
  return {
    detail: can("detail") ? get("detail").value : undefined,
    variants: can("sample") && get("four").checked ? 4 : 1,
    seed,
  };
}

/** What the large button does. */
export function act() {
  if (desk.tool === "extend") tell("extend");
  else repair();
}

export async function repair() {
  if (!desk.photo) return;
  if (desk.busy) {
    again = true;
    return;
  }
  if (!desk.mask.marked) {
    toast("Mark what is to be repaired first");
    return;
  }
  const { photo, mask } = desk;
  const sent = mask.snapshot();
  const result = await runJob("repair", async () => {
    await sketchKeeper.now();
    // stains among what was found; what was marked by hand alone is not looked at
    const lift = !get("sensitivity-row").hidden && get("lift").checked;
    return api.repair(photo.key, { mask: await mask.toPng(), lift, ...wishes() });
  });
  if (result && desk.photo === photo) {
    Object.assign(photo, result);
    await photoChanged(result.box);
    while (isDrawing()) await pause(30);
    if (desk.photo !== photo) return;
    for (const layer of [mask, desk.sketch]) {
      layer.begin();
      layer.erase(mask.tilesOf(sent));
    }
    const tiles = mask.end() ?? { before: new Map(), after: new Map() };
    const strokes = desk.sketch.end();
    remember({ label: "repair", repair: true, tiles, strokes });
    tell("mask");
    if (strokes) tell("sketch");
    tell("repairs");
    if (result.choices > 1) {
      tell("choose");
      get("result-section").scrollIntoView({ block: "nearest" });
    }
    announce(`Repaired in ${result.seconds.toFixed(1)} seconds`);
  }
  if (again) {
    again = false;
    if (desk.photo === photo && mask.marked && get("auto").checked) await repair();
  }
}

export async function cancel() {
  again = false;
  if (!desk.busy) return;
  desk.busy.cancelled = true;
  if (desk.busy.key) await attempt(() => api.cancel(desk.busy.key));
}

function show() {
  const busy = desk.busy !== null;
  const { state, error } = desk.status;
  get("model-state").hidden = state === "ready" || busy;
  get("model-state").textContent =
    state === "failed" ? `The model cannot be opened: ${error}` : "The model is being opened; a repair waits for it.";
  const extends_ = desk.tool === "extend";
  const wanted = extends_ ? desk.extension.some(Boolean) : desk.mask?.marked;
  get("repair").hidden = busy;
  get("repair").textContent = extends_ ? "Extend" : "Repair";
  get("repair").title = `${extends_ ? "Extend" : "Repair"} (Ctrl+Enter)`;
  get("cancel").hidden = !busy;
  get("repair").disabled = !desk.photo || !wanted || desk.away || desk.status.state === "failed";
  get("find-damage").disabled = busy;
  // what is to be done next stands out: repair what is marked, or save what is repaired
  get("save").classList.toggle("primary", Boolean(desk.photo?.repairs) && !desk.mask.marked && !busy);
}

function showResult() {
  const { photo } = desk;
  get("result-section").hidden = !photo?.repairs;
  if (!photo?.repairs) return;
  const box = around(photo);
  const list = get("variants");
  list.hidden = photo.choices < 2;
  list.replaceChildren();
  if (photo.choices < 2) return;
  for (let choice = 0; choice < photo.choices; choice += 1) {
    const chosen = choice === photo.chosen;
    const address = viewAddress(photo.key, { box, side: 256, choice, version: photo.version });
    const name = choice ? `Variant ${choice + 1}` : "Likeliest";
    list.append(
      make(
        "button",
        { role: "radio", "aria-checked": String(chosen), tabindex: chosen ? "0" : "-1", type: "button", "data-choice": choice },
        make("img", { src: address, alt: "" }),
        make("span", { text: name }),
      ),
    );
  }
}

/** The last repair's box with what surrounds it, for thumbnails. */
function around({ box, width, height }) {
  const margin = Math.max(32, Math.round(0.4 * Math.max(box[2], box[3])));
  const left = Math.max(0, box[0] - margin);
  const top = Math.max(0, box[1] - margin);
  return [left, top, Math.min(width, box[0] + box[2] + margin) - left, Math.min(height, box[1] + box[3] + margin) - top];
}

async function choose(choice) {
  const { photo } = desk;
  if (choice === photo.chosen || desk.busy) return;
  await attempt(async () => {
    const { changed, ...state } = await api.choose(photo.key, choice);
    Object.assign(photo, state);
    if (desk.photo !== photo) return;
    for (const button of get("variants").children) {
      const chosen = Number(button.dataset.choice) === choice;
      button.setAttribute("aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      if (chosen) button.focus();
    }
    await photoChanged(changed);
  });
}

export function startRepairing() {
  get("repair").addEventListener("click", act);
  get("cancel").addEventListener("click", cancel);
  slider("detail", (value) => value.toFixed(1));
  get("variants").addEventListener("click", (event) => {
    const button = event.target.closest("[data-choice]");
    if (button) choose(Number(button.dataset.choice));
  });
  get("variants").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    choose((desk.photo.chosen + step + desk.photo.choices) % desk.photo.choices);
  });
  get("uncertainty").addEventListener("change", async (event) => {
    desk.showUncertainty = event.target.checked;
    if (desk.showUncertainty) await attempt(refreshHeat);
    redraw();
  });
  hear("stroke", (marks) => marks && get("auto").checked && repair());
  for (const what of ["mask", "tool", "frame"]) hear(what, show);
  hear("repairs", showResult);
  hear("photo", () => {
    desk.busy = null;
    again = false;
    get("progress").hidden = true;
    get("uncertainty").checked = desk.showUncertainty = false;
    show();
    showResult();
  });
  hear("status", () => {
    get("detail-row").hidden = !can("detail");
    get("variants-row").hidden = !can("sample");
    show();
  });
}
