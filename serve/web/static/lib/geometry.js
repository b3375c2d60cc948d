/** Points and directions in a picture. */

/** @import { Point } from "../../types/documents.js" */

const ARROW_PX = 26;
const WING_PX = 8;

/**
 * The arrow that shows which side of a line is *in*: from its middle towards (dy, -dx) of b - a, x right, y down.
 *
 * Works on pixels; scaling the axes moves the arrow but never to the other side.
 *
 * @param {Point} a
 * @param {Point} b
 * @param {number} length pixels
 * @returns {{ from: Point, to: Point, wings: [Point, Point] }}
 */
export function inArrow(a, b, length = ARROW_PX) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const size = Math.hypot(dx, dy) || 1;
  const [nx, ny] = [dy / size, -dx / size];
  /** @type {Point} */
  const from = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  /** @type {Point} */
  const to = [from[0] + nx * length, from[1] + ny * length];
  /** @type {(side: number) => Point} */
  const wing = (side) => [
    to[0] - nx * WING_PX + side * ny * WING_PX * 0.75,
    to[1] - ny * WING_PX - side * nx * WING_PX * 0.75,
  ];
  return { from, to, wings: [wing(1), wing(-1)] };
}

/**
 * Shares of the picture, rounded to what a snapshot can show.
 *
 * @param {Point} point
 * @returns {Point}
 */
export function clamp([x, y]) {
  /** @param {number} v */
  const share = (v) => Math.round(Math.min(Math.max(v, 0), 1) * 1e4) / 1e4;
  return [share(x), share(y)];
}

/**
 * @param {Point[]} points
 * @returns {Point}
 */
export function centre(points) {
  const sum = points.reduce(([x, y], p) => [x + p[0], y + p[1]], [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}

/**
 * Whether two sides of a polygon cross, which no floor area does.
 *
 * @param {Point[]} polygon
 */
export function crossesItself(polygon) {
  const count = polygon.length;
  /** @type {(a: Point, b: Point, c: Point) => number} */
  const side = (a, b, c) => Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));
  for (let i = 0; i < count; i += 1)
    for (let j = i + 2; j < count; j += 1) {
      if (i === 0 && j === count - 1) continue; // neighbours
      const [a, b, c, d] = [polygon[i], polygon[i + 1], polygon[j], polygon[(j + 1) % count]];
      if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) return true;
    }
  return false;
}

/**
 * Points moved together, as far as the picture goes.
 *
 * @param {Point[]} points
 * @param {Point} by
 */
export function shifted(points, [dx, dy]) {
  /** @type {(values: number[], by: number) => number} */
  const limit = (values, by) => Math.min(Math.max(by, -Math.min(...values)), 1 - Math.max(...values));
  const xs = points.map((p) => p[0]);
  const ys = points.map((p) => p[1]);
  const [x, y] = [limit(xs, dx), limit(ys, dy)];
  return points.map((p) => clamp([p[0] + x, p[1] + y]));
}
