/** Shapes as SVG: outline, arrow, name, and the handles that mouse and keys take hold of. */

/** @import { Point, Shape } from "../../types/documents.js" */
/** @typedef {(share: Point) => Point} ToPixels */

import { svg } from "../lib/dom.js";
import { centre, inArrow } from "../lib/geometry.js";
import { nameOf, pointsOf } from "../lib/shapes.js";

const ARROW_PX = 34;

/**
 * @param {Shape} shape
 * @param {ToPixels} px
 * @param {boolean} active whether it is the one that is selected
 */
export function shapeNode(shape, px, active) {
  const points = pointsOf(shape).map(px);
  const path = points.map((p) => p.join(",")).join(" ");
  const parts =
    shape.kind === "line"
      ? [
          svg("polyline", { class: "halo", points: path }),
          svg("polyline", { class: "stroke", points: path }),
          svg("polyline", { class: "grip", points: path }),
          ...arrow(points),
        ]
      : [svg("polygon", { class: "halo", points: path }), svg("polygon", { class: "stroke area", points: path })];
  return svg(
    "g",
    { class: `shape ${shape.kind}${active ? " active" : ""}`, dataset: { key: shape.key } },
    parts,
    active && shape.kind === "zone" && middles(shape, points),
    points.map((p, i) => handle(shape, p, i)),
  );
}

/** @param {Point[]} points */
function arrow([a, b]) {
  const { from, to, wings } = inArrow(a, b, ARROW_PX);
  const path = `M${from} L${to} M${wings[0]} L${to} L${wings[1]}`;
  return [svg("path", { class: "halo", d: path }), svg("path", { class: "stroke", d: path })];
}

/**
 * What a shape is called, apart from it: names lie above the handles of all shapes.
 *
 * @param {Shape} shape
 * @param {ToPixels} px
 */
export function nameNode(shape, px) {
  const points = pointsOf(shape).map(px);
  const [x, y] = shape.kind === "zone" ? centre(points) : points[0];
  const name = svg("text", { x, y: y - (shape.kind === "line" ? 12 : 0) }, nameOf(shape));
  return svg("g", { class: `shape ${shape.kind}` }, name, shape.kind === "line" && direction(shape.in_name, points));
}

/**
 * The word for *in*, beyond the arrow's tip, whichever way it points.
 *
 * @param {string} word
 * @param {Point[]} points
 */
function direction(word, [a, b]) {
  const { from, to } = inArrow(a, b, ARROW_PX);
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const anchor = Math.abs(dx) < 12 ? "middle" : dx > 0 ? "start" : "end";
  const place = { x: to[0] + Math.sign(dx) * 6, y: to[1] + (dy > 8 ? 14 : dy < -8 ? -6 : 4) };
  return svg("text", { class: "direction", ...place, "text-anchor": anchor }, word || "in");
}

/**
 * @param {Shape} shape
 * @param {Point} at
 * @param {number} index
 */
function handle(shape, [x, y], index) {
  const share = pointsOf(shape)[index];
  const name = shape.kind === "line" ? `point ${"AB"[index]}` : `corner ${index + 1}`;
  const where = `${Math.round(share[0] * 100)} % from the left, ${Math.round(share[1] * 100)} % from the top`;
  return svg("circle", {
    class: "handle",
    cx: x,
    cy: y,
    r: 7,
    tabindex: "0",
    role: "button",
    "aria-label": `${nameOf(shape)}, ${name}, ${where}`,
    dataset: { key: shape.key, point: index },
  });
}

/**
 * @param {Shape} shape
 * @param {Point[]} points
 */
function middles(shape, points) {
  return points.map((p, i) => {
    const [x, y] = centre([p, points[(i + 1) % points.length]]);
    return svg("circle", { class: "middle", cx: x, cy: y, r: 5, dataset: { key: shape.key, after: i } });
  });
}

/**
 * What is being drawn.
 *
 * @param {{ tool: string, points: Point[], cursor: Point, closable: boolean }} draft in pixels; ``closable``: the first
 *   point may be taken again to close it
 */
export function draftNode({ tool, points, cursor, closable }) {
  const path = [...points, cursor].map((p) => p.join(",")).join(" ");
  return svg(
    "g",
    { class: `shape ${tool} draft` },
    svg("polyline", { class: "halo", points: path }),
    svg("polyline", { class: "stroke", points: path }),
    points.map(([x, y], i) =>
      svg("circle", {
        class: i === 0 && closable ? "handle first" : "handle",
        cx: x,
        cy: y,
        r: i === 0 && closable ? 9 : 6,
      }),
    ),
    svg("path", { class: "cursor", d: `M${cursor[0] - 9},${cursor[1]} h18 M${cursor[0]},${cursor[1] - 9} v18` }),
  );
}
