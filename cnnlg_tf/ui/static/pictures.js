// The photo's pixels on the screen: a fitted copy, sharp tiles where the view is closer, patches after a repair.

import { api, viewAddress } from "./api.js";

const FITTED = 2048; // longest side of the copy
const TILE = 512; // pixels of a tile on the screen
const KEPT_TILES = 120;
const AT_ONCE = 4; // requests

export class Pictures {
  /** `of`: now or before; `changed` is called when there is more to draw. */
  constructor(photo, of, changed) {
    this.photo = photo;
    this.of = of;
    this.opened = photo.version;
    this.changed = changed;
    this.base = null;
    this.tiles = new Map(); // "level/column/row" -> {bitmap, stale}
    this.wanted = [];
    this.loading = new Set();
    this.failed = new Map();
    this.gone = new AbortController();
    this.refresh = null;
  }

  get version() {
    return this.of === "now" ? this.photo.version : this.opened;
  }

  /** Load the fitted copy. */
  async load() {
    if (this.base) return;
    this.base = document.createElement("canvas");
    await this.loadBase();
  }

  async loadBase() {
    const { width, height } = this.photo;
    const side = Math.min(FITTED, Math.max(width, height));
    const bitmap = await this.latest({ side: Math.max(16, side) });
    this.base.width = bitmap.width;
    this.base.height = bitmap.height;
    this.base.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    this.changed();
  }

  /** A view as it is once it has arrived: the photo may change meanwhile. */
  async latest(what) {
    for (;;) {
      const { version } = this;
      const address = viewAddress(this.photo.key, { ...what, of: this.of, version });
      const bitmap = await api.picture(address, this.gone.signal);
      if (version === this.version) return bitmap;
      bitmap.close();
    }
  }

  get isWhole() {
    return this.base !== null && this.base.width >= this.photo.width;
  }

  /** Show what changed within box [left, top, width, height]: at once, and exactly a little later. */
  async patch(box) {
    const { width, height } = this.photo;
    if (!this.base || !this.base.width) return;
    const sx = this.base.width / width;
    const sy = this.base.height / height;
    const grown = this.isWhole ? box : grow(box, Math.ceil(2 / sx), width, height);
    const side = Math.max(16, Math.min(FITTED, Math.ceil(Math.max(grown[2] * sx, grown[3] * sy))));
    for (const [name, tile] of this.tiles) {
      const [level, column, row] = name.split("/").map(Number);
      const wide = TILE << level;
      tile.stale ||=
        column * wide < box[0] + box[2] && (column + 1) * wide > box[0] &&
        row * wide < box[1] + box[3] && (row + 1) * wide > box[1];
    }
    const bitmap = await this.latest({ box: grown, side });
    const context = this.base.getContext("2d");
    const place = [grown[0] * sx, grown[1] * sy, grown[2] * sx, grown[3] * sy];
    context.clearRect(...place);
    context.drawImage(bitmap, ...place);
    bitmap.close();
    if (!this.isWhole) {
      clearTimeout(this.refresh);
      this.refresh = setTimeout(() => this.loadBase().catch(() => {}), 1500);
    }
    this.changed();
  }

  /** Draw the part of the photo that the view shows. */
  draw(context, view) {
    if (!this.base || !this.base.width) return;
    const { width, height } = this.photo;
    context.imageSmoothingEnabled = view.scale * view.density < 2;
    context.imageSmoothingQuality = view.scale * view.density < 1 ? "medium" : "low";
    context.drawImage(this.base, view.x, view.y, width * view.scale, height * view.scale);
    if (this.isWhole || view.scale * view.density * width <= 1.05 * this.base.width) return;
    const level = Math.max(0, Math.floor(-Math.log2(view.scale * view.density)));
    const side = TILE << level;
    const first = [Math.max(0, Math.floor(-view.x / view.scale / side)), Math.max(0, Math.floor(-view.y / view.scale / side))];
    const last = [
      Math.min(Math.ceil(width / side), Math.ceil((view.width - view.x) / view.scale / side)),
      Math.min(Math.ceil(height / side), Math.ceil((view.height - view.y) / view.scale / side)),
    ];
    this.wanted = [];
    for (let row = first[1]; row < last[1]; row += 1) {
      for (let column = first[0]; column < last[0]; column += 1) {
        const name = `${level}/${column}/${row}`;
        const tile = this.tiles.get(name);
        if (tile) {
          this.tiles.delete(name); // the latest used stand last
          this.tiles.set(name, tile);
          const x = column * side;
          const y = row * side;
          context.drawImage(
            tile.bitmap, view.x + x * view.scale, view.y + y * view.scale,
            Math.min(side, width - x) * view.scale, Math.min(side, height - y) * view.scale,
          );
        }
        if (!tile || tile.stale) this.wanted.push(name);
      }
    }
    this.fetchMore();
  }

  fetchMore() {
    while (this.loading.size < AT_ONCE && this.wanted.length) {
      const name = this.wanted.shift();
      if (this.loading.has(name) || this.failed.get(name) > 2) continue;
      this.loading.add(name);
      this.fetchTile(name)
        .catch(() => this.failed.set(name, (this.failed.get(name) ?? 0) + 1))
        .finally(() => {
          this.loading.delete(name);
          if (!this.gone.signal.aborted) this.changed();
        });
    }
  }

  async fetchTile(name) {
    const [level, column, row] = name.split("/").map(Number);
    const side = TILE << level;
    const { key, width, height } = this.photo;
    const box = [column * side, row * side, Math.min(side, width - column * side), Math.min(side, height - row * side)];
    const version = this.version;
    const shown = Math.max(16, Math.ceil(Math.max(box[2], box[3]) / 2 ** level));
    const bitmap = await api.picture(viewAddress(key, { box, side: shown, of: this.of, version }), this.gone.signal);
    this.tiles.get(name)?.bitmap.close();
    this.tiles.set(name, { bitmap, stale: version !== this.version });
    this.failed.delete(name);
    for (const [old, tile] of this.tiles) {
      if (this.tiles.size <= KEPT_TILES) break;
      tile.bitmap.close();
      this.tiles.delete(old);
    }
  }

  close() {
    this.gone.abort();
    clearTimeout(this.refresh);
    for (const tile of this.tiles.values()) tile.bitmap.close();
    this.tiles.clear();
    this.base = null;
  }
}

function grow([left, top, width, height], by, right, bottom) {
  const x = Math.max(0, left - by);
  const y = Math.max(0, top - by);
  return [x, y, Math.min(right, left + width + by) - x, Math.min(bottom, top + height + by) - y];
}
