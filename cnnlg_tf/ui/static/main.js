// Starts the page: colours, the parts, what is open; and waits when the server is away.

import { api, Away, Refusal } from "./api.js";
import { desk, hear, tell } from "./desk.js";
import { attempt, get, toast } from "./dom.js";
import { startExtending } from "./extending.js";
import { show, showRecent, startFiles } from "./files.js";
import { startFolder } from "./folder.js";
import { startHistory, startHistoryButtons } from "./history.js";
import { startKeeping } from "./keeping.js";
import { startKeys } from "./keys.js";
import { startMarking } from "./marking.js";
import { startPointer } from "./pointer.js";
import { startRepairing } from "./repairing.js";
import { startSketching } from "./sketching.js";
import { showPhoto, startSurface, redraw } from "./surface.js";
import { startTools } from "./tools.js";

const THEMES = ["system", "light", "dark"];
const NAMES = { system: "as the system", light: "light", dark: "dark" };
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function startTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "system";
  const apply = () => {
    document.documentElement.dataset.theme = chosen === "system" ? (system.matches ? "dark" : "light") : chosen;
    get("theme-label").textContent = `Colours: ${NAMES[chosen]}`;
    get("theme").title = `Colours: ${NAMES[chosen]}`;
    redraw();
  };
  system.addEventListener("change", apply);
  get("theme").addEventListener("click", () => {
    chosen = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length];
    localStorage.setItem("theme", chosen);
    apply();
  });
  apply();
}

/** On a phone the panel is a sheet that unfolds, and the options of a repair lie in it. */
function startSheet() {
  const narrow = matchMedia("(max-width: 760px)");
  const panel = get("panel");
  const fold = (open) => {
    panel.classList.toggle("unfolded", open);
    get("panel-toggle").setAttribute("aria-expanded", open);
  };
  const place = () => {
    if (narrow.matches) get("panel-body").append(get("options"));
    else panel.querySelector(".act").prepend(get("options"));
    fold(false);
  };
  narrow.addEventListener("change", place);
  get("panel-toggle").addEventListener("click", () => fold(!panel.classList.contains("unfolded")));
  get("glass").addEventListener("pointerdown", () => fold(false));
  hear("choose", () => narrow.matches && fold(true));
  place();
}

/** Ask until the model is open. */
async function followStatus() {
  for (;;) {
    const status = await attempt(api.status);
    if (status) {
      const was = desk.status.state;
      desk.status = status;
      if (was !== status.state) tell("status");
      if (status.state !== "opening") return;
    }
    await pause(300);
  }
}

/** The server does not answer: say so, ask again every second, then go on where it was. */
async function waitForServer() {
  if (desk.away) return;
  desk.away = true;
  const banner = get("banner");
  banner.textContent = "The page\u2019s server does not answer. Your marks are kept here; start cnnlg-tf ui again to go on.";
  banner.hidden = false;
  tell("status");
  for (;;) {
    await pause(1000);
    try {
      desk.status = await api.status();
      break;
    } catch (error) {
      if (error instanceof Away) continue;
      banner.textContent = "The server has another address now: open the one that the terminal shows.";
      if (!(error instanceof Refusal)) throw error;
    }
  }
  desk.away = false;
  banner.hidden = true;
  tell("status");
  if (desk.status.state === "opening") followStatus();
  if (!desk.photo) return;
  const fresh = await attempt(() => api.photo(desk.photo.key));
  if (!fresh) return;
  if (fresh.width !== desk.mask.width || fresh.height !== desk.mask.height) {
    await show(fresh); // extended while it was away
    return;
  }
  const changed = fresh.version !== desk.photo.version;
  Object.assign(desk.photo, fresh);
  if (changed) {
    startHistory();
    tell("repairs");
    await showPhoto();
  }
  tell("back");
  toast("The server is back");
}

async function start() {
  startTheme();
  startSurface();
  startHistoryButtons();
  startTools();
  startPointer();
  startMarking();
  startSketching();
  startRepairing();
  startExtending();
  startKeeping();
  startFiles();
  startKeys();
  startSheet();
  hear("away", waitForServer);
  followStatus();
  const key = location.hash.slice(1);
  let restored = null;
  if (/^[0-9a-f]{16}$/.test(key)) restored = await api.photo(key).catch(() => null);
  await startFolder(restored === null);
  if (restored) await attempt(() => show(restored));
  if (!desk.photo) await showRecent();
  document.body.dataset.ready = "true";
}

start();
