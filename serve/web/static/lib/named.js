/** Lines and zones of a report by the names that people gave them. */

/** @import { Geometry, LineDocument, ZoneDocument } from "../../types/documents.js" */
/** @typedef {Pick<LineDocument, "id" | "in_name" | "out_name"> & { label: string }} NamedLine */
/** @typedef {Pick<ZoneDocument, "id"> & { label: string }} NamedZone */

/**
 * Those that are drawn, and those of the past that still have numbers in the report.
 *
 * @param {Pick<Geometry, "lines" | "zones">} geometry
 * @param {{ lines: object, zones: object }} total
 * @returns {{ lines: NamedLine[], zones: NamedZone[] }}
 */
export function named(geometry, total) {
  const directions = { in_name: "in", out_name: "out" };
  return {
    lines: [
      ...geometry.lines.map(({ id, name, in_name, out_name }) => ({ id, label: name || id, in_name, out_name })),
      ...past(geometry.lines, total.lines).map((one) => ({ ...one, ...directions })),
    ],
    zones: [...geometry.zones.map(({ id, name }) => ({ id, label: name || id })), ...past(geometry.zones, total.zones)],
  };
}

/**
 * @param {{ id: string }[]} drawn
 * @param {object} counted
 */
function past(drawn, counted) {
  const known = new Set(drawn.map(({ id }) => id));
  const gone = Object.keys(counted).filter((id) => !known.has(id));
  return gone.map((id) => ({ id, label: `${id} (not drawn any more)` }));
}
