/** Lines and zones as values, and as the API's document has them. */

/** @import { Geometry, Point, Shape } from "../../types/documents.js" */

import { freeId, slug } from "./names.js";

/** @param {Shape} shape */
export function nameOf(shape) {
  return shape.name || shape.id || "";
}

/**
 * The points of a shape, whichever it is.
 *
 * @param {Shape} shape
 */
export function pointsOf(shape) {
  return shape.kind === "line" ? [shape.a, shape.b] : shape.polygon;
}

/**
 * @param {Shape} shape
 * @param {Point[]} points
 * @returns {Shape}
 */
export function withPoints(shape, points) {
  return shape.kind === "line" ? { ...shape, a: points[0], b: points[1] } : { ...shape, polygon: points };
}

/**
 * From the API's document to shapes; ``key`` tells them apart on the page.
 *
 * @param {Pick<Geometry, "lines" | "zones">} geometry
 * @returns {Shape[]}
 */
export function shapesOf({ lines, zones }) {
  return [
    ...lines.map((line) => /** @type {const} */ ({ ...line, kind: "line", key: `line/${line.id}` })),
    ...zones.map((zone) => /** @type {const} */ ({ ...zone, kind: "zone", key: `zone/${zone.id}` })),
  ];
}

/**
 * The API's document of shapes; new ones get an id made of their name, which stays for ever.
 *
 * @param {Shape[]} shapes
 * @param {Geometry["homography"]} homography
 * @param {number | null} version that was changed; null: whichever is the newest
 */
export function documentOf(shapes, homography, version) {
  const lines = withIds(shapes.filter((shape) => shape.kind === "line"));
  const zones = withIds(shapes.filter((shape) => shape.kind === "zone"));
  return {
    lines: lines.map(({ id, name, a, b, in_name, out_name }) => ({ id, name, a, b, in_name, out_name })),
    zones: zones.map(({ id, name, polygon, dwell_min_s, limits }) => ({
      id,
      name,
      polygon,
      dwell_min_s,
      limits: limits ?? null,
    })),
    homography,
    version,
  };
}

/**
 * @template {Shape} S
 * @param {S[]} shapes
 */
function withIds(shapes) {
  const taken = new Set(shapes.flatMap((shape) => shape.id ?? []));
  return shapes.map((shape) => {
    const id = shape.id ?? freeId(slug(shape.name) || shape.kind, taken);
    taken.add(id);
    return { ...shape, id };
  });
}

/**
 * The first "Line 1", "Line 2", ... that is free.
 *
 * @param {Shape["kind"]} kind
 * @param {Shape[]} shapes
 */
export function freeName(kind, shapes) {
  const word = kind === "line" ? "Line" : "Zone";
  const names = new Set(shapes.map((shape) => shape.name));
  for (let number = 1; ; number += 1) if (!names.has(`${word} ${number}`)) return `${word} ${number}`;
}
