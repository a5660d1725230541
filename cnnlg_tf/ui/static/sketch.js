// The sketch: strokes in colour, each pixel the number of an ink, 0 = nothing drawn. As a file, a PNG with a palette.

import { decodePng, encodePng, INDEXED, rowBytes } from "./png.js";
import { SIDE, Tiles } from "./tiles.js";

const MOST_INKS = 255;

export const toRgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
export const toHex = (rgb) => `#${rgb.map((value) => value.toString(16).padStart(2, "0")).join("")}`;

export class Sketch extends Tiles {
  constructor(width, height, inks = []) {
    super(width, height);
    this.inks = inks; // [red, green, blue] of 1, 2, ...
  }

  blank(width, height) {
    return new Sketch(width, height, this.inks);
  }

  /** The number of a colour; once all are taken, of the one that is nearest. */
  inkOf(hex) {
    const rgb = toRgb(hex);
    const apart = this.inks.map((ink) => ink.reduce((sum, value, i) => sum + (value - rgb[i]) ** 2, 0));
    const nearest = Math.min(...apart);
    if (nearest > 0 && this.inks.length < MOST_INKS) return this.inks.push(rgb);
    return apart.indexOf(nearest) + 1;
  }

  /** Draw what a file holds, as the server keeps it. */
  async addFile(buffer) {
    const { rows, colours } = await decodePng(buffer, 8, INDEXED);
    this.inks = [];
    for (let at = 3; at < colours.length; at += 3) this.inks.push([...colours.subarray(at, at + 3)]);
    const stride = rowBytes(this.width, 8);
    this.begin();
    for (let index = 0; index < this.tiles.length; index += 1) {
      const { width, height, at } = this.placeOf(index, stride);
      for (let y = 0; y < height; y += 1) {
        const row = rows.subarray(at + y * stride, at + y * stride + width);
        if (row.some(Boolean)) this.own(index).set(row, y * SIDE);
      }
    }
    this.end();
  }

  /** A PNG Blob, transparent where nothing is drawn. */
  toPng() {
    const stride = rowBytes(this.width, 8);
    const rows = new Uint8Array(stride * this.height);
    this.tiles.forEach((tile, index) => {
      if (tile === null) return;
      const { width, height, at } = this.placeOf(index, stride);
      for (let y = 0; y < height; y += 1) rows.set(tile.subarray(y * SIDE, y * SIDE + width), at + y * stride);
    });
    const colours = new Uint8Array([0, 0, 0, ...this.inks.flat()]);
    const { width, height } = this;
    return encodePng({ width, height, depth: 8, kind: INDEXED, rows, colours, opacities: new Uint8Array(1) });
  }

  placeOf(index, stride) {
    const [width, height] = this.sizeOf(index);
    const column = index % this.columns;
    const row = (index - column) / this.columns;
    return { width, height, at: row * SIDE * stride + 1 + column * SIDE };
  }
}
