// The mask and the sketch over the photo: each tile drawn once into a small canvas, coarser where the view is farther.

import { FULL, SIDE } from "./tiles.js";

const COLOUR = [255, 46, 99];
const OPACITY = 0.55;
const KEPT_CELLS = 300;

export class Overlay {
  constructor(layer) {
    this.layer = layer;
    this.level = 0;
    this.cells = new Map(); // index -> {canvas, stamp}
  }

  draw(context, view) {
    const { layer } = this;
    const level = Math.min(4, Math.max(0, Math.floor(-Math.log2(view.scale * view.density))));
    if (level !== this.level) {
      this.level = level;
      this.cells.clear();
    }
    const side = SIDE * view.scale;
    const left = Math.max(0, Math.floor(-view.x / side));
    const right = Math.min(layer.columns, Math.ceil((view.width - view.x) / side));
    const top = Math.max(0, Math.floor(-view.y / side));
    const bottom = Math.min(layer.rows, Math.ceil((view.height - view.y) / side));
    context.imageSmoothingEnabled = view.scale * view.density < 2;
    context.fillStyle = `rgba(${COLOUR.join(",")},${OPACITY})`;
    for (let row = top; row < bottom; row += 1) {
      for (let column = left; column < right; column += 1) {
        const index = row * layer.columns + column;
        const tile = layer.tiles[index];
        if (tile === null) continue;
        const [width, height] = layer.sizeOf(index);
        // edges on whole screen pixels: neighbours then neither overlap nor leave a seam
        const snap = (value) => Math.round(value * view.density) / view.density;
        const x = snap(view.x + column * side);
        const y = snap(view.y + row * side);
        const wide = snap(view.x + column * side + width * view.scale) - x;
        const high = snap(view.y + row * side + height * view.scale) - y;
        if (tile === FULL) context.fillRect(x, y, wide, high);
        else {
          const { canvas } = this.cell(index, tile);
          const step = 2 ** this.level;
          context.drawImage(canvas, 0, 0, width / step, height / step, x, y, wide, high);
        }
      }
    }
  }

  cell(index, tile) {
    const kept = this.cells.get(index);
    if (kept && kept.stamp === this.layer.stamps[index]) return kept;
    const step = 2 ** this.level;
    const side = SIDE / step;
    const canvas = kept?.canvas ?? new OffscreenCanvas(side, side);
    const image = new ImageData(side, side);
    this.shade(image.data, tile, step);
    canvas.getContext("2d").putImageData(image, 0, 0);
    const cell = { canvas, stamp: this.layer.stamps[index] };
    this.cells.delete(index); // the latest drawn stand last
    this.cells.set(index, cell);
    if (this.cells.size > KEPT_CELLS) this.cells.delete(this.cells.keys().next().value);
    return cell;
  }
  /** Colours of a tile at 1 / step of its size, RGBA. */
  shade(data, tile, step) {
    const side = SIDE / step;
    const strength = (255 * OPACITY) / (step * step);
    for (let y = 0, at = 0; y < side; y += 1) {
      for (let x = 0; x < side; x += 1, at += 4) {
        let sum = 0;
        for (let v = 0; v < step; v += 1) {
          const line = (y * step + v) * SIDE + x * step;
          for (let u = 0; u < step; u += 1) sum += tile[line + u];
        }
        if (!sum) continue;
        [data[at], data[at + 1], data[at + 2]] = COLOUR;
        // thin strokes stay visible from afar
        data[at + 3] = step === 1 ? strength : Math.max(sum * strength, 90);
      }
    }
  }
}

export class SketchOverlay extends Overlay {
  shade(data, tile, step) {
    const { inks } = this.layer;
    const side = SIDE / step;
    for (let y = 0, at = 0; y < side; y += 1) {
      for (let x = 0; x < side; x += 1, at += 4) {
        let [drawn, red, green, blue] = [0, 0, 0, 0];
        for (let v = 0; v < step; v += 1) {
          const line = (y * step + v) * SIDE + x * step;
          for (let u = 0; u < step; u += 1) {
            const ink = inks[tile[line + u] - 1];
            if (!ink) continue;
            drawn += 1;
            red += ink[0];
            green += ink[1];
            blue += ink[2];
          }
        }
        if (!drawn) continue;
        data[at] = red / drawn;
        data[at + 1] = green / drawn;
        data[at + 2] = blue / drawn;
        data[at + 3] = 255 * Math.max(drawn / (step * step), 0.5);
      }
    }
  }
}
