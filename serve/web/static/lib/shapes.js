/** Lines and zones as values, and as the API's document has them. */

import { freeId, slug } from "./names.js";

/** The points of a shape, whichever it is. */
export function pointsOf(shape) {
  return shape.kind === "line" ? [shape.a, shape.b] : shape.polygon;
}

export function withPoints(shape, points) {
  return shape.kind === "line" ? { ...shape, a: points[0], b: points[1] } : { ...shape, polygon: points };
}

/** From the API's document to shapes; ``key`` tells them apart on the page. */
export function shapesOf(document) {
  return [
    ...(document.lines ?? []).map((line) => ({ ...line, kind: "line", key: `line/${line.id}` })),
    ...(document.zones ?? []).map((zone) => ({ ...zone, kind: "zone", key: `zone/${zone.id}` })),
  ];
}

/** The API's document of shapes; new ones get an id made of their name, which stays for ever. */
export function documentOf(shapes, homography, version) {
  const lines = withIds(shapes.filter((shape) => shape.kind === "line"));
  const zones = withIds(shapes.filter((shape) => shape.kind === "zone"));
  return {
    lines: lines.map(({ id, name, a, b, in_name, out_name }) => ({ id, name, a, b, in_name, out_name })),
    zones: zones.map(({ id, name, polygon, dwell_min_s }) => ({ id, name, polygon, dwell_min_s })),
    homography: homography ?? null,
    version,
  };
}

function withIds(shapes) {
  const taken = new Set(shapes.map((shape) => shape.id).filter(Boolean));
  return shapes.map((shape) => {
    if (shape.id) return shape;
    const id = freeId(slug(shape.name) || shape.kind, taken);
    taken.add(id);
    return { ...shape, id };
  });
}

/** The first "Line 1", "Line 2", ... that is free. */
export function freeName(kind, shapes) {
  const word = kind === "line" ? "Line" : "Zone";
  const names = new Set(shapes.map((shape) => shape.name));
  for (let number = 1; ; number += 1) if (!names.has(`${word} ${number}`)) return `${word} ${number}`;
}
