// Small functions over the document: find, build, announce, tell of faults.

import { Away } from "./api.js";
import { tell } from "./desk.js";

export const get = (id) => document.getElementById(id);

/** An element: make("li", {class: "x", text: "y"}, children...). */
export function make(tag, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Say something to those who listen to the page. */
export function announce(text) {
  get("live").textContent = text;
}

/** Show a short message for a while. */
export function toast(text, bad = false) {
  const element = make("div", { class: bad ? "toast bad" : "toast", text });
  get("toasts").append(element);
  setTimeout(() => element.remove(), bad ? 9000 : 4000);
}

/** Run something that may fail; what fails is told, and a server that is away is waited for. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Away) tell("away");
    else if (error.name !== "AbortError") toast(error.message, true);
    return undefined;
  }
}

/** Call at most once in `milliseconds`, with the latest arguments. */
export function later(milliseconds, work) {
  let timer = 0;
  const call = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), milliseconds);
  };
  call.now = (...args) => {
    clearTimeout(timer);
    return work(...args);
  };
  return call;
}

/** A slider that shows how far it is filled, and its value as text. */
export function slider(id, show, change) {
  const input = get(id);
  const output = get(`${id}-value`);
  const paint = () => {
    const share = (input.value - input.min) / (input.max - input.min);
    input.style.setProperty("--filled", `${100 * share}%`);
    if (output) output.textContent = show(Number(input.value));
    input.setAttribute("aria-valuetext", show(Number(input.value)));
  };
  input.addEventListener("input", () => {
    paint();
    change?.(Number(input.value));
  });
  paint();
  return { input, paint, set: (value) => { input.value = value; paint(); } };
}

export function percent(share) {
  if (share <= 0) return "nothing";
  const value = 100 * share;
  if (value < 0.1) return "under 0.1 %";
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

export function seconds(value) {
  if (value < 1) return "under 1 s";
  return value < 90 ? `${Math.round(value)} s` : `${Math.round(value / 60)} min`;
}
