// The mask: 1 = to be repaired. The history keeps its tiles in bits.

import { encodeBits, rowBytes } from "./bits.js";
import { AREA, FULL, SIDE, Tiles } from "./tiles.js";

export class Mask extends Tiles {
  pack(tile) {
    if (tile === null || tile === FULL) return tile;
    const packed = new Uint8Array(AREA / 8);
    for (let i = 0, at = 0; i < packed.length; i += 1, at += 8) {
      packed[i] =
        (tile[at] << 7) | (tile[at + 1] << 6) | (tile[at + 2] << 5) | (tile[at + 3] << 4) |
        (tile[at + 4] << 3) | (tile[at + 5] << 2) | (tile[at + 6] << 1) | tile[at + 7];
    }
    return packed;
  }

  unpack(packed) {
    if (packed === null || packed === FULL) return packed;
    const tile = new Uint8Array(AREA);
    for (let i = 0; i < AREA; i += 1) tile[i] = (packed[i >> 3] >> (7 - (i & 7))) & 1;
    return tile;
  }

  /** Share of the photo that is marked, 0 to 1. */
  get share() {
    return this.marked / (this.width * this.height);
  }

  settle(index) {
    super.settle(index);
    const [width, height] = this.sizeOf(index);
    if (this.counts[index] === width * height) this.tiles[index] = FULL;
  }

  invert() {
    this.tiles.forEach((tile, index) => {
      if (tile === null) this.put(index, FULL);
      else if (tile === FULL) this.put(index, null);
      else this.put(index, tile.map((value) => 1 - value));
    });
  }

  /** All tiles as they are, packed: what a repair was asked to cover. */
  snapshot() {
    return new Map(this.tiles.flatMap((tile, index) => (tile === null ? [] : [[index, this.pack(tile)]])));
  }

  /** A snapshot's tiles, for `erase`. */
  *tilesOf(snapshot) {
    for (const [index, packed] of snapshot) yield [index, this.unpack(packed)];
  }

  /** Mark what a snapshot holds. */
  mark(snapshot) {
    for (const [index, added] of this.tilesOf(snapshot)) {
      if (this.tiles[index] === FULL) continue;
      if (added === FULL) this.put(index, FULL);
      else this.own(index).forEach((value, i, tile) => (tile[i] = value | added[i]));
    }
  }

  /** Mark the pixels of packed rows, as decodeBits gives them; with `replace` those and no others. */
  addRows(rows, replace) {
    const stride = rowBytes(this.width);
    if (replace) this.clear();
    for (let index = 0; index < this.tiles.length; index += 1) {
      const [width, height] = this.sizeOf(index);
      const left = (index % this.columns) * SIDE;
      const top = Math.floor(index / this.columns) * SIDE;
      const bytes = Math.ceil(width / 8);
      const spare = (0xff << (8 * bytes - width)) & 0xff; // bits of a row's last byte that are pixels
      let some = 0;
      let every = 0xff;
      for (let y = 0; y < height; y += 1) {
        const at = (top + y) * stride + 1 + left / 8;
        for (let i = 0; i < bytes; i += 1) {
          const byte = i < bytes - 1 ? rows[at + i] : (rows[at + i] & spare) | (~spare & every);
          some |= i < bytes - 1 ? byte : byte & spare;
          every &= byte;
        }
      }
      if (!some) continue;
      if (every === 0xff) {
        this.put(index, FULL);
        continue;
      }
      const tile = this.own(index);
      for (let y = 0; y < height; y += 1) {
        const at = (top + y) * stride + 1 + left / 8;
        for (let i = 0; i < bytes; i += 1) {
          const byte = rows[at + i];
          if (!byte) continue;
          const to = y * SIDE + 8 * i;
          for (let bit = 0; bit < 8; bit += 1) tile[to + bit] |= (byte >> (7 - bit)) & 1;
        }
      }
    }
  }

  /** A PNG Blob of one bit a pixel. */
  async toPng() {
    const stride = rowBytes(this.width);
    const rows = new Uint8Array(stride * this.height);
    this.tiles.forEach((tile, index) => {
      if (tile === null) return;
      const packed = this.pack(tile);
      const [width, height] = this.sizeOf(index);
      const left = (index % this.columns) * SIDE;
      const top = Math.floor(index / this.columns) * SIDE;
      const bytes = Math.ceil(width / 8);
      for (let y = 0; y < height; y += 1) {
        const at = (top + y) * stride + 1 + left / 8;
        if (packed === FULL) rows.fill(255, at, at + bytes);
        else rows.set(packed.subarray((y * SIDE) / 8, (y * SIDE) / 8 + bytes), at);
      }
    });
    const spare = this.width % 8;
    if (spare) for (let y = 1; y <= this.height; y += 1) rows[y * stride - 1] &= 0xff << (8 - spare);
    return encodeBits(this.width, this.height, rows);
  }
}
