// From strokes to pixels: which spans of which rows a capsule, a polygon or a rectangle covers.
//
// A pixel belongs to a shape if its centre does. Coordinates are the photo's, in pixels from its top left corner.

/** Everything within `radius` of the line from (x0, y0) to (x1, y1). */
export function capsule(mask, x0, y0, x1, y1, radius, value) {
  const r = Math.max(radius, 0.5);
  const dx = x1 - x0;
  const dy = y1 - y0;
  const length = Math.hypot(dx, dy);
  const nx = length ? (-dy / length) * r : 0;
  const ny = length ? (dx / length) * r : 0;
  const first = Math.floor(Math.min(y0, y1) - r);
  const last = Math.ceil(Math.max(y0, y1) + r);
  for (let y = Math.max(first, 0); y <= Math.min(last, mask.height - 1); y += 1) {
    const centre = y + 0.5;
    let low = Infinity;
    let high = -Infinity;
    const take = (x) => {
      low = Math.min(low, x);
      high = Math.max(high, x);
    };
    for (const [cx, cy] of [[x0, y0], [x1, y1]]) {
      const rest = r * r - (centre - cy) ** 2;
      if (rest >= 0) {
        take(cx - Math.sqrt(rest));
        take(cx + Math.sqrt(rest));
      }
    }
    if (dy) {
      for (const side of [-1, 1]) {
        const share = (centre - (y0 + side * ny)) / dy;
        if (share >= 0 && share <= 1) take(x0 + side * nx + share * dx);
      }
    }
    if (low <= high) mask.span(y, Math.ceil(low - 0.5), Math.floor(high - 0.5) + 1, value);
  }
}

/** The inside of a closed polygon, by the even-odd rule; points are [x, y]. */
export function polygon(mask, points, value) {
  const ys = points.map((point) => point[1]);
  const first = Math.max(0, Math.floor(Math.min(...ys)));
  const last = Math.min(mask.height - 1, Math.ceil(Math.max(...ys)));
  for (let y = first; y <= last; y += 1) {
    const centre = y + 0.5;
    const crossings = [];
    points.forEach(([ax, ay], i) => {
      const [bx, by] = points[(i + 1) % points.length];
      if (ay <= centre !== by <= centre) crossings.push(ax + ((centre - ay) / (by - ay)) * (bx - ax));
    });
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      mask.span(y, Math.ceil(crossings[i] - 0.5), Math.ceil(crossings[i + 1] - 0.5), value);
    }
  }
}

/** All pixels that a rectangle between two corners touches. */
export function rectangle(mask, x0, y0, x1, y1, value) {
  const left = Math.floor(Math.min(x0, x1));
  const right = Math.ceil(Math.max(x0, x1));
  for (let y = Math.floor(Math.min(y0, y1)); y < Math.ceil(Math.max(y0, y1)); y += 1) mask.span(y, left, right, value);
}
