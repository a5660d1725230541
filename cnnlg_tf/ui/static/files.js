// Photos come and go: open by drop, paste, button or from the folder; unfinished work; saving; references.

import { api, fileAddress, viewAddress } from "./api.js";
import { decodeBits } from "./bits.js";
import { can, desk, hear, tell } from "./desk.js";
import { announce, attempt, get, icon, make, slider, toast } from "./dom.js";
import { keepNow } from "./keeping.js";
import { loadMask } from "./marking.js";
import { Mask } from "./mask.js";
import { Sketch } from "./sketch.js";
import { showPhoto } from "./surface.js";

const ORDINARY = { JPEG: "JPEG", PNG: "PNG", WEBP: "WebP", TIFF: "TIFF", AVIF: "AVIF", HEIF: "HEIC" };
let opening = 0;

/** Put a photo on the desk, with the mask and the sketch that the server has of it. */
export async function show(photo) {
  const mine = (opening += 1);
  await keepNow();
  const mask = new Mask(photo.width, photo.height);
  if (photo.masked) {
    const { rows } = await decodeBits(await api.mask(photo.key));
    mask.begin();
    mask.addRows(rows, true);
    mask.end();
  }
  const sketch = new Sketch(photo.width, photo.height);
  if (photo.sketched) await sketch.addFile(await api.sketch(photo.key));
  if (mine !== opening) return;
  desk.photo = photo;
  desk.mask = mask;
  desk.sketch = sketch;
  desk.extension = [0, 0, 0, 0];
  desk.growing = false;
  desk.comparing = desk.showOriginal = false;
  document.body.classList.remove("empty");
  document.title = `${photo.name} \u2013 cnnlg-tf`;
  history.replaceState(null, "", `#${photo.key}`);
  get("photo-name").textContent = photo.name;
  tell("photo");
  await showPhoto();
  announce(`Opened ${photo.name}`);
  if (!photo.masked && !photo.repairs) for (const note of photo.notes) toast(`${photo.name} ${note}`);
}

function facts({ width, height, bits, format, transparent }) {
  const depth = bits === 8 ? "" : `, ${bits} bit`;
  return `${width} \u00d7 ${height}${depth}, ${ORDINARY[format] ?? format}${transparent ? " with transparency" : ""}`;
}

export async function openFile(file) {
  document.body.classList.add("loading");
  await attempt(async () => show(await api.open(file)));
  document.body.classList.remove("loading");
}

async function openFiles(files, target) {
  const pictures = [...files].filter((file) => file.size > 0);
  if (!pictures.length) return;
  if (target?.closest?.("#reference-section")) {
    for (const file of pictures) await addReference(file);
    return;
  }
  const mask = pictures.find((file) => /_mask\.[^.]+$/i.test(file.name));
  const photo = pictures.find((file) => file !== mask);
  if (photo) await openFile(photo);
  if (mask && desk.photo) await loadMask(mask);
}

async function addReference(file) {
  const { photo } = desk;
  await attempt(async () => {
    photo.references.push(await api.addReference(photo.key, file));
    showReferences();
  });
}

function showReferences() {
  const { photo } = desk;
  get("references").replaceChildren(
    ...(photo?.references ?? []).map(({ key, name }) =>
      make(
        "li",
        {},
        make("img", { src: `/api/photos/${photo.key}/references/${key}`, alt: name, title: name }),
        make("button", {
          "aria-label": `Remove ${name}`,
          type: "button",
          class: "icon",
          onclick: () =>
            attempt(async () => {
              await api.removeReference(photo.key, key);
              photo.references = photo.references.filter((each) => each.key !== key);
              showReferences();
            }),
        }, icon("close")),
      ),
    ),
  );
  get("reference-hint").hidden = Boolean(photo?.references.length);
}

/** The start screen's list of photos that hold work. */
export async function showRecent() {
  const photos = (await attempt(api.photos)) ?? [];
  get("recent").hidden = !photos.length;
  get("recent-list").replaceChildren(
    ...photos.map((photo) => {
      const begun = photo.masked ? "marked" : "sketched";
      const did = photo.repairs ? `${photo.repairs} ${photo.repairs === 1 ? "repair" : "repairs"}` : begun;
      const when = new Date(1000 * photo.touched).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
      return make(
        "li",
        {},
        make(
          "button",
          { class: "go", type: "button", onclick: () => attempt(async () => show(await api.photo(photo.key))) },
          make("img", { src: viewAddress(photo.key, { side: 160 }), alt: "", loading: "lazy" }),
          make("span", {}, make("b", { text: photo.name }), make("small", { text: `${did}, ${when}` })),
        ),
        make("button", {
          class: "icon",
          type: "button",
          "aria-label": `Forget ${photo.name}`,
          title: "Forget this work",
          onclick: () => attempt(async () => { await api.close(photo.key); await showRecent(); }),
        }, icon("bin")),
      );
    }),
  );
}

function saveOptions() {
  const format = get("save-format").value;
  const options = { format };
  if (desk.status.lossy.includes(format) && !get("quality-own").checked) options.quality = Number(get("quality").value);
  return options;
}

function showSaveOptions() {
  const format = get("save-format").value;
  const own = desk.photo?.format === format;
  get("quality-row").hidden = !desk.status.lossy.includes(format);
  get("quality-choice").hidden = get("quality-own").checked;
  get("quality-own-label").textContent = own ? "Quality as it came" : "The usual quality";
  get("save-note").textContent = own
    ? "Known pixels, depth and metadata stay as they came, as far as the format can hold them."
    : "What this format cannot hold is told after saving.";
}

export function openSave() {
  if (!desk.photo) return;
  const { format } = desk.photo;
  const others = desk.status.formats.filter((each) => each !== format);
  get("save-format").replaceChildren(
    ...[format, ...others].map((each) => make("option", { value: each, text: `${ORDINARY[each] ?? each}${each === format ? " (as it came)" : ""}` })),
  );
  get("quality-own").checked = true;
  get("save-beside").hidden = !desk.photo.beside;
  get("save-copy").hidden = !window.ClipboardItem;
  showSaveOptions();
  get("save-dialog").showModal();
}

function tellNotes(answer) {
  for (const note of JSON.parse(decodeURIComponent(answer.headers.get("X-Notes") ?? "%5B%5D"))) toast(note);
}

async function download() {
  const { photo } = desk;
  await attempt(async () => {
    const answer = await api.file(photo.key, saveOptions());
    const name = decodeURIComponent(answer.headers.get("Content-Disposition").split("''")[1]);
    const address = URL.createObjectURL(await answer.blob());
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    tellNotes(answer);
    get("save-dialog").close();
    announce(`Saved as ${name}`);
  });
}

async function saveBeside() {
  await attempt(async () => {
    const { name, notes } = await api.saveBeside(desk.photo.key, saveOptions());
    for (const note of notes) toast(note);
    toast(`Saved beside the original: ${name}`);
    get("save-dialog").close();
  });
}

async function copy() {
  const { photo } = desk;
  await attempt(async () => {
    // the promise goes in as it is: Safari forgets the click while one waits
    const png = fetch(fileAddress(photo.key, { format: "PNG" })).then((answer) => answer.blob());
    await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
    toast("Copied to the clipboard");
    get("save-dialog").close();
  });
}

function startDropping() {
  const stage = get("drop-hint");
  let inside = 0;
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    inside += 1;
    stage.hidden = false;
  });
  addEventListener("dragleave", () => {
    inside = Math.max(0, inside - 1);
    stage.hidden = inside === 0;
  });
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    inside = 0;
    stage.hidden = true;
    if (!hasFiles(event)) return;
    event.preventDefault();
    openFiles(event.dataTransfer.files, event.target);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) openFiles(event.clipboardData.files, event.target);
  });
}

export function startFiles() {
  for (const id of ["choose", "open"]) get(id).addEventListener("click", () => get("file").click());
  get("file").addEventListener("change", (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    openFiles(files);
  });
  get("reference-add").addEventListener("click", () => get("reference-file").click());
  get("reference-file").addEventListener("change", async (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    for (const file of files) await addReference(file);
  });
  get("save").addEventListener("click", openSave);
  get("save-download").addEventListener("click", download);
  get("save-beside").addEventListener("click", saveBeside);
  get("save-copy").addEventListener("click", copy);
  get("save-format").addEventListener("change", showSaveOptions);
  get("quality-own").addEventListener("change", showSaveOptions);
  slider("quality", (value) => String(value));
  startDropping();
  hear("photo", showReferences);
  for (const what of ["photo", "repairs"]) hear(what, () => (get("photo-facts").textContent = facts(desk.photo)));
  hear("status", () => {
    get("reference-section").hidden = !can("reference");
    get("formats").textContent = desk.status.max_pixels
      ? `JPEG, PNG, WebP, TIFF and more, up to ${Math.round(desk.status.max_pixels / 1e6)} megapixels`
      : "";
  });
}
