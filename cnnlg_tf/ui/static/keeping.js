// Keeping layers on the server as they change: the mask and the sketch.

import { api, Away } from "./api.js";
import { desk, hear, tell } from "./desk.js";
import { later, toast } from "./dom.js";

const keepers = [];

/** Keep one layer; `send` takes the photo's key, a Blob and whether it is the last, and `layer` gives the layer. */
function keeper(send, layer) {
  let unkept = false; // the server does not have the latest yet

  async function keep(last = false) {
    if (!desk.photo || !unkept || desk.away || desk.growing) return;
    const { photo } = desk;
    unkept = false;
    try {
      await send(photo.key, await layer().toPng(), last);
    } catch (error) {
      unkept = true;
      if (error instanceof Away) tell("away");
      else if (desk.photo === photo) toast(error.message, true);
    }
  }

  const soon = later(250, keep);
  const made = {
    changed: () => {
      unkept = true;
      soon();
    },
    /** Send the layer now if the server lacks it. */
    now: (last = false) => soon.now(last),
    forget: () => {
      unkept = false;
    },
  };
  keepers.push(made);
  return made;
}

export const maskKeeper = keeper(api.keepMask, () => desk.mask);
export const sketchKeeper = keeper(api.keepSketch, () => desk.sketch);

/** Send what the server lacks. */
export const keepNow = (last = false) => Promise.all(keepers.map((each) => each.now(last)));

export function startKeeping() {
  hear("mask", maskKeeper.changed);
  hear("sketch", sketchKeeper.changed);
  hear("photo", () => keepers.forEach((each) => each.forget()));
  hear("back", () => keepers.forEach((each) => each.changed()));
  document.addEventListener("visibilitychange", () => document.hidden && keepNow(true));
  addEventListener("pagehide", () => keepNow(true));
}
