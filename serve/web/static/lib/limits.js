/** What is told of a zone: its limits, a number each on the page. */

/** @import { ZoneLimits } from "../../types/documents.js" */

/** @typedef {"queue" | "occupancy" | "dwell_s"} Limit */

/** @type {ZoneLimits} */
const NONE = { dwell_s: null, queue: null, occupancy: null };

/**
 * @param {ZoneLimits | null | undefined} limits
 * @param {Limit} part
 * @returns {number | null}
 */
export function limitOf(limits, part) {
  const found = limits?.[part] ?? null;
  return found === null || typeof found === "number" ? found : found.people;
}

/**
 * The limits with another number, or without it; what else was set by script stays, as far as it fits.
 *
 * @param {ZoneLimits | null | undefined} limits
 * @param {Limit} part
 * @param {number | null} number
 * @returns {ZoneLimits | null}
 */
export function withLimit(limits, part, number) {
  const known = { ...NONE, ...limits };
  const changed = { ...known, [part]: number !== null && part !== "dwell_s" ? people(known[part], number) : number };
  return Object.values(changed).every((one) => one === null) ? null : changed;
}

/**
 * @param {ZoneLimits["queue"]} known
 * @param {number} number
 */
function people(known, number) {
  const clear = known?.clear ?? null;
  return {
    hold_s: 5,
    cool_down_s: 60,
    ...known,
    people: number,
    clear: clear !== null && clear < number ? clear : null,
  };
}
