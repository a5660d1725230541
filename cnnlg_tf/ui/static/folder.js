// The folder that the page was started with: a strip of thumbnails, next and previous, repair all.

import { api, watch } from "./api.js";
import { can, desk, hear } from "./desk.js";
import { attempt, get, later, make, seconds, toast } from "./dom.js";
import { show } from "./files.js";
import { keepNow } from "./keeping.js";

let photos = [];
let current = -1;
let run = null; // key of the job that repairs all

export async function openAt(index) {
  if (index < 0 || index >= photos.length || index === current) return;
  await attempt(async () => {
    await keepNow();
    const { note, ...photo } = await api.openFromFolder(photos[index].name);
    current = index;
    await show(photo);
    if (note) toast(note, true);
    showPlace();
  });
}

export const step = (direction) => openAt(current + direction);

function showPlace() {
  get("film-place").textContent = `${current + 1} of ${photos.length}`;
  get("previous").disabled = current <= 0;
  get("next").disabled = current >= photos.length - 1;
  [...get("film-list").children].forEach((item, index) => {
    const button = item.firstChild;
    if (index === current) {
      button.setAttribute("aria-current", "true");
      item.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else button.removeAttribute("aria-current");
  });
}

function showMark(index) {
  const { name, masked, repairs, mask_file: file } = photos[index];
  const button = get("film-list").children[index].firstChild;
  const word = repairs ? "repaired" : masked || file ? "mask" : "";
  button.querySelector(".mark")?.remove();
  if (word) button.append(make("span", { class: "mark", text: word }));
  button.setAttribute("aria-label", word ? `${name}, ${word}` : name);
}

function build() {
  get("film").hidden = false;
  get("film-list").replaceChildren(
    ...photos.map(({ name }, index) =>
      make(
        "li",
        {},
        make(
          "button",
          { type: "button", title: name, onclick: () => openAt(index) },
          make("img", { src: `/api/folder/thumbnail?name=${encodeURIComponent(name)}`, alt: "", loading: "lazy" }),
        ),
      ),
    ),
  );
  photos.forEach((_, index) => showMark(index));
}

function openRun() {
  const own = photos.filter(({ masked, repairs, mask_file: file }) => masked || repairs || file).length;
  get("run-own").textContent = `${own} of ${photos.length} have one`;
  get("run-blind-row").hidden = !can("find_damage");
  get("run-shared").disabled = !desk.mask?.marked;
  if (!desk.mask?.marked && get("run-shared").checked) document.querySelector('[name="masks"][value="own"]').checked = true;
  if (!run) {
    get("run-log").replaceChildren();
    get("run-log").hidden = get("run-progress").hidden = true;
  }
  get("run-dialog").showModal();
}

async function runAll() {
  const shared = get("run-shared").checked;
  const detail = can("detail") ? Number(get("detail").value) : undefined;
  const log = get("run-log");
  log.replaceChildren();
  await attempt(async () => {
    await keepNow();
    const wishes = { detail, mask_of: shared ? desk.photo.key : undefined, find_damage: get("run-blind").checked };
    run = (await api.repairFolder(wishes)).job;
    showRunning(true);
    const [name, data] = await watch(run, (event, told) => {
      if (event === "progress") {
        get("run-bar").value = told.share;
        const left = told.seconds_left === null ? "" : `, ${seconds(told.seconds_left)} left`;
        get("run-text").textContent = `${Math.round(100 * told.share)} %${left}`;
        return;
      }
      log.hidden = false;
      if (told.output === null) return;
      log.append(make("li", told.error ? { class: "bad", text: told.error } : { text: `repaired/${told.output}` }));
      log.scrollTop = log.scrollHeight;
    });
    get("run-bar").value = name === "done" ? 1 : get("run-bar").value;
    if (name === "done") {
      get("run-text").textContent = `${data.repaired} repaired, ${data.skipped} had nothing to repair, ${data.failed} failed`;
    } else get("run-text").textContent = name === "cancelled" ? "Cancelled" : data.error;
  });
  run = null;
  showRunning(false);
  refresh();
}

function showRunning(running) {
  get("run-progress").hidden = false;
  get("run-start").hidden = running;
  get("run-cancel").hidden = !running;
  get("run-choices").disabled = running;
}

const refresh = later(600, async () => {
  if (!photos.length) return;
  const listed = await attempt(api.folder);
  listed?.photos.forEach((photo) => {
    const index = photos.findIndex(({ name }) => name === photo.name);
    if (index < 0) return;
    photos[index] = photo;
    showMark(index);
  });
});

/** Ask the server what it was started with; opens a single photo or, with `first`, a folder's first. */
export async function startFolder(first) {
  const listed = await attempt(api.folder);
  if (!listed) return;
  photos = listed.photos;
  if (listed.folder && photos.length) {
    build();
    get("previous").addEventListener("click", () => step(-1));
    get("next").addEventListener("click", () => step(1));
    get("run-all").addEventListener("click", openRun);
    get("run-start").addEventListener("click", runAll);
    get("run-cancel").addEventListener("click", () => run && attempt(() => api.cancel(run)));
    hear("mask", refresh);
    hear("repairs", refresh);
    hear("photo", () => {
      current = photos.findIndex(({ name }) => desk.photo.beside && name === desk.photo.name);
      showPlace();
    });
  }
  if (first && photos.length) await openAt(0);
  else if (listed.folder && !photos.length) toast("The folder holds no photo that can be read", true);
}
