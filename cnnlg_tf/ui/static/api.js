// Requests to the page's own server, and what happens when it does not answer.

export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Raised when the server does not answer at all. */
export class Away extends Error {}

async function send(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away("the server does not answer");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let message = text;
  try {
    message = JSON.parse(text).error;
  } catch {
    // not JSON: shown as it is
  }
  throw new Refusal(message || `the server answered ${answer.status}`, answer.status);
}

function form(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Blob) body.append(name, value, value.name ?? `${name}.png`);
    else if (value !== undefined) body.append(name, String(value));
  }
  return body;
}

const photo = (key) => `/api/photos/${key}`;
const asJson = async (answer) => (await answer).json();
const post = (path, fields) => send(path, { method: "POST", body: fields && form(fields) });
const sendJson = (method, path, value) =>
  send(path, { method, body: JSON.stringify(value), headers: { "Content-Type": "application/json" } });

export const api = {
  status: () => asJson(send("/api/status")),
  photos: () => asJson(send("/api/photos")),
  folder: () => asJson(send("/api/folder")),
  open: (file, mask) => asJson(post("/api/photos", { photo: file, mask })),
  openFromFolder: (name) => asJson(sendJson("POST", "/api/folder/open", { name })),
  repairFolder: (wishes) => asJson(sendJson("POST", "/api/folder/repair", wishes)),
  photo: (key) => asJson(send(photo(key))),
  close: (key) => send(photo(key), { method: "DELETE" }),
  mask: async (key) => (await send(`${photo(key)}/mask`)).arrayBuffer(),
  // `last`: the page may be gone before the answer; browsers then take 64 kB from memory, and no file
  keepMask: (key, blob, last = false) =>
    send(`${photo(key)}/mask`, { method: "PUT", body: blob, keepalive: last && blob.size < 60000 }),
  grow: async (key, pixels) => (await sendJson("POST", `${photo(key)}/mask/grow`, { pixels })).arrayBuffer(),
  sketch: async (key) => (await send(`${photo(key)}/sketch`)).arrayBuffer(),
  keepSketch: (key, blob, last = false) =>
    send(`${photo(key)}/sketch`, { method: "PUT", body: blob, keepalive: last && blob.size < 60000 }),
  repair: (key, fields) => asJson(post(`${photo(key)}/repairs`, fields)),
  extend: (key, fields) => asJson(post(`${photo(key)}/extension`, fields)),
  undo: (key) => asJson(post(`${photo(key)}/repairs/undo`)),
  redo: (key) => asJson(post(`${photo(key)}/repairs/redo`)),
  choose: (key, choice) => asJson(sendJson("PUT", `${photo(key)}/repairs/choice`, { choice })),
  hole: async (key, number) => (await send(`${photo(key)}/repairs/${number}/mask`)).arrayBuffer(),
  findDamage: (key) => asJson(post(`${photo(key)}/damage`)),
  damage: async (key, sensitivity) => (await send(`${photo(key)}/damage?sensitivity=${sensitivity}`)).arrayBuffer(),
  addReference: (key, file) => asJson(post(`${photo(key)}/references`, { photo: file })),
  removeReference: (key, reference) => send(`${photo(key)}/references/${reference}`, { method: "DELETE" }),
  saveBeside: (key, options) => asJson(sendJson("POST", `${photo(key)}/save`, options)),
  file: (key, options) => send(fileAddress(key, options)),
  cancel: (job) => send(`/api/jobs/${job}`, { method: "DELETE" }),
  picture: async (address, signal) => createImageBitmap(await (await send(address, { signal })).blob()),
};

export function fileAddress(key, options) {
  return `${photo(key)}/file?${new URLSearchParams(options)}`;
}

/** Address of a view; `version` keeps an old picture from being taken for a new one. */
export function viewAddress(key, { box, side, of = "now", choice, version = 0 }) {
  const query = new URLSearchParams({ of, v: version });
  if (box) query.set("box", box.join(","));
  if (side) query.set("side", side);
  if (choice !== undefined) query.set("choice", choice);
  return `${photo(key)}/view?${query}`;
}

/** Watch a job: on(name, data) for each event; resolves to [name, data] of the last one. */
export function watch(job, on) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(`/api/jobs/${job}/events`);
    for (const name of ["progress", "photo"]) source.addEventListener(name, (event) => on(name, JSON.parse(event.data)));
    for (const name of ["done", "failed", "cancelled"]) {
      source.addEventListener(name, (event) => {
        source.close();
        resolve([name, JSON.parse(event.data)]);
      });
    }
    source.onerror = () => {
      source.close();
      reject(new Away("the server does not answer"));
    };
  });
}
