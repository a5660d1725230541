// A layer at the photo's full resolution, one byte a pixel, in tiles that exist only where something is drawn.
//
// A tile is null (nothing drawn), FULL (all 1; shared, never written) or its own bytes. Fifty megapixels with a few
// strokes take a few hundred kilobytes. A change keeps packed copies of the tiles it touches.

export const SIDE = 256;
export const AREA = SIDE * SIDE;
export const FULL = new Uint8Array(AREA).fill(1);

export class Tiles {
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

  /** A tile as the history keeps it, and back. */
  pack(tile) {
    return tile === null || tile === FULL ? tile : tile.slice();
  }

  unpack(packed) {
    return this.pack(packed);
  }

  /** A blank layer of another size. */
  blank(width, height) {
    return new this.constructor(width, height);
  }

  /** The size of a tile's part that lies in the photo: [width, height]. */
  sizeOf(index) {
    const column = index % this.columns;
    const row = (index - column) / this.columns;
    return [Math.min(SIDE, this.width - column * SIDE), Math.min(SIDE, this.height - row * SIDE)];
  }

  /** How many pixels are drawn. */
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
    if (this.before && !this.before.has(index)) this.before.set(index, this.pack(this.tiles[index]));
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
      const packed = this.pack(this.tiles[index]);
      if (same(old, packed)) before.delete(index);
      else after.set(index, packed);
    }
    return before.size ? { before, after } : null;
  }

  /** Count a tile, and let go of its bytes if it is empty. */
  settle(index) {
    const tile = this.tiles[index];
    const [width, height] = this.sizeOf(index);
    if (tile === null || tile === FULL) {
      this.counts[index] = tile === null ? 0 : width * height;
      return;
    }
    let count = 0;
    for (let y = 0; y < height; y += 1) {
      for (let i = y * SIDE; i < y * SIDE + width; i += 1) if (tile[i]) count += 1;
    }
    this.counts[index] = count;
    if (count === 0) this.tiles[index] = null;
  }

  /** Put tiles back as `end` gave them. */
  restore(packedTiles) {
    for (const [index, packed] of packedTiles) {
      this.tiles[index] = this.unpack(packed);
      this.stamps[index] += 1;
      this.settle(index);
    }
  }

  clear() {
    this.tiles.forEach((tile, index) => tile !== null && this.put(index, null));
  }

  /** Erase what another layer of the same size has drawn, given as its unpacked tiles by index. */
  erase(tiles) {
    for (const [index, covered] of tiles) {
      if (this.tiles[index] === null) continue;
      if (covered === FULL) this.put(index, null);
      else this.own(index).forEach((value, i, tile) => (tile[i] = covered[i] ? 0 : value));
    }
  }

  /** The same on a canvas whose sides [left, top, right, bottom] have grown, or shrunk where negative. */
  moved([left, top, right, bottom]) {
    const layer = this.blank(this.width + left + right, this.height + top + bottom);
    layer.begin();
    this.tiles.forEach((tile, index) => {
      if (tile === null) return;
      const [width, height] = this.sizeOf(index);
      const x0 = (index % this.columns) * SIDE + left;
      const y0 = Math.floor(index / this.columns) * SIDE + top;
      for (let y = 0; y < height; y += 1) {
        for (let x = 0; x < width; ) {
          const from = x;
          const value = tile[y * SIDE + x];
          while (x < width && tile[y * SIDE + x] === value) x += 1;
          if (value) layer.span(y0 + y, x0 + from, x0 + x, value);
        }
      }
    });
    layer.end();
    return layer;
  }
}

function same(a, b) {
  if (a === b) return true;
  if (a === null || b === null || a === FULL || b === FULL) return false;
  return a.every((byte, i) => byte === b[i]);
}
