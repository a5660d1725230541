// Masks as PNG files of one bit a pixel.

import { decodePng, encodePng, GREY } from "./png.js";
import * as png from "./png.js";

export const rowBytes = (width) => png.rowBytes(width, 1);
export const encodeBits = (width, height, rows) => encodePng({ width, height, depth: 1, kind: GREY, rows });
export const decodeBits = (buffer) => decodePng(buffer, 1, GREY);
