// The mask at the photo's full resolution, in tiles that exist only where something is marked.
//
// A tile is null (nothing marked), FULL (all marked; shared, never written) or its own bytes, one a pixel. Fifty
// megapixels with a few strokes take a few hundred kilobytes. A change keeps packed copies of the tiles it touches.

import { encodeBits, rowBytes } from "./bits.js";

export const SIDE = 256;
const AREA = SIDE * SIDE;
export const FULL = new Uint8Array(AREA).fill(1);

function pack(tile) {
  if (tile === null || tile === FULL) return tile;
  const packed = new Uint8Array(AREA / 8);
  for (let i = 0, at = 0; i < packed.length; i += 1, at += 8) {
    packed[i] =
      (tile[at] << 7) | (tile[at + 1] << 6) | (tile[at + 2] << 5) | (tile[at + 3] << 4) |
      (tile[at + 4] << 3) | (tile[at + 5] << 2) | (tile[at + 6] << 1) | tile[at + 7];
  }
  return packed;
}

function unpack(packed) {
  if (packed === null || packed === FULL) return packed;
  const tile = new Uint8Array(AREA);
  for (let i = 0; i < AREA; i += 1) tile[i] = (packed[i >> 3] >> (7 - (i & 7))) & 1;
  return tile;
}

export class Mask {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.columns = Math.ceil(width / SIDE);
    this.rows = Math.ceil(height / SIDE);
    this.tiles = new Array(this.columns * this.rows).fill(null);
    this.counts = new Uint32Array(this.tiles.length);
    this.stamps = new Uint32Array(this.tiles.length); // grows when a tile changes: for what is drawn of it
    this.before = null;
  }

  /** The size of a tile's part that lies in the photo: [width, height]. */
  sizeOf(index) {
    const column = index % this.columns;
    const row = (index - column) / this.columns;
    return [Math.min(SIDE, this.width - column * SIDE), Math.min(SIDE, this.height - row * SIDE)];
  }

  /** Share of the photo that is marked, 0 to 1. */
  get share() {
    return this.marked / (this.width * this.height);
  }

  get marked() {
    let sum = 0;
    for (const count of this.counts) sum += count;
    return sum;
  }

  at(x, y) {
    const tile = this.tiles[Math.floor(y / SIDE) * this.columns + Math.floor(x / SIDE)];
    return tile === null ? 0 : tile[(y % SIDE) * SIDE + (x % SIDE)];
  }

  /** Start a change; `end` gives what it did. */
  begin() {
    this.before = new Map();
  }

  /** Set pixels x0 to x1 - 1 of row y, which may lie outside the photo. */
  span(y, x0, x1, value) {
    if (y < 0 || y >= this.height) return;
    const from = Math.max(0, x0);
    const to = Math.min(this.width, x1);
    const row = Math.floor(y / SIDE);
    const line = (y % SIDE) * SIDE;
    for (let x = from; x < to; ) {
      const column = Math.floor(x / SIDE);
      const stop = Math.min(to, (column + 1) * SIDE);
      const index = row * this.columns + column;
      const tile = this.tiles[index];
      if (tile !== (value ? FULL : null)) {
        this.own(index).fill(value, line + x - column * SIDE, line + stop - column * SIDE);
      }
      x = stop;
    }
  }

  /** A tile's bytes for writing; its state before the change is kept. */
  own(index) {
    this.keep(index);
    const tile = this.tiles[index];
    if (tile === null || tile === FULL) this.tiles[index] = tile === null ? new Uint8Array(AREA) : FULL.slice();
    return this.tiles[index];
  }

  keep(index) {
    if (this.before && !this.before.has(index)) this.before.set(index, pack(this.tiles[index]));
    this.stamps[index] += 1;
  }

  /** Replace a tile as a whole. */
  put(index, tile) {
    this.keep(index);
    this.tiles[index] = tile;
  }

  /** End a change: {before, after}, packed tiles by index; null if nothing changed. */
  end() {
    const before = this.before;
    this.before = null;
    const after = new Map();
    for (const [index, old] of before) {
      this.settle(index);
      const packed = pack(this.tiles[index]);
      if (same(old, packed)) before.delete(index);
      else after.set(index, packed);
    }
    return before.size ? { before, after } : null;
  }

  /** Count a tile, and let go of its bytes if it is empty or full. */
  settle(index) {
    const tile = this.tiles[index];
    const [width, height] = this.sizeOf(index);
    if (tile === null || tile === FULL) {
      this.counts[index] = tile === null ? 0 : width * height;
      return;
    }
    let count = 0;
    for (let y = 0; y < height; y += 1) {
      for (let i = y * SIDE; i < y * SIDE + width; i += 1) count += tile[i];
    }
    this.counts[index] = count;
    if (count === 0) this.tiles[index] = null;
    if (count === width * height) this.tiles[index] = FULL;
  }

  /** Put tiles back as `end` gave them. */
  restore(packedTiles) {
    for (const [index, packed] of packedTiles) {
      this.tiles[index] = unpack(packed);
      this.stamps[index] += 1;
      this.settle(index);
    }
  }

  clear() {
    this.tiles.forEach((tile, index) => tile !== null && this.put(index, null));
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
    return new Map(this.tiles.flatMap((tile, index) => (tile === null ? [] : [[index, pack(tile)]])));
  }

  /** Unmark what a snapshot holds. */
  subtract(snapshot) {
    for (const [index, packed] of snapshot) {
      if (this.tiles[index] === null) continue;
      const covered = unpack(packed);
      if (covered === FULL) this.put(index, null);
      else this.own(index).forEach((value, i, tile) => (tile[i] = value & (1 - covered[i])));
    }
  }

  /** Mark what a snapshot holds. */
  mark(snapshot) {
    for (const [index, packed] of snapshot) {
      if (this.tiles[index] === FULL) continue;
      const added = unpack(packed);
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
      const packed = pack(tile);
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

function same(a, b) {
  if (a === b) return true;
  if (a === null || b === null || a === FULL || b === FULL) return false;
  return a.every((byte, i) => byte === b[i]);
}
