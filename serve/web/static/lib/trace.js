/** A number over time as a line: where nothing is known, the line has a gap. */

/** @import { Moment } from "../../types/documents.js" */

export const WIDTH = 600;
export const HEIGHT = 72;
const MINUTE_MS = 60_000;

/**
 * Values of one field, minute by minute.
 *
 * @param {Moment[]} moments
 * @param {string} field
 * @returns {[number, number][]} milliseconds and value
 */
export function valuesOf(moments, field) {
  return moments
    .filter((moment) => moment.values[field] !== undefined)
    .map((moment) => [Date.parse(moment.start), moment.values[field]]);
}

/**
 * Least and most, with some room, so that a line that does not move lies in the middle.
 *
 * @param {[number, number][]} values
 * @param {number} least height that is shown, in the unit of the values
 * @param {number} floor below which there are no values
 */
export function rangeOf(values, least, floor = -Infinity) {
  const low = Math.min(...values.map(([, value]) => value));
  const high = Math.max(...values.map(([, value]) => value));
  const room = Math.max(0, least - (high - low)) / 2;
  const bottom = Math.max(low - room, Math.min(floor, low));
  return { low: bottom, high: Math.max(high + room, bottom + least) };
}

/**
 * The path of an SVG of `WIDTH` by `HEIGHT`.
 *
 * @param {[number, number][]} values
 * @param {{ low: number, high: number }} range
 * @param {number} fromMs
 * @param {number} toMs
 */
export function pathOf(values, { low, high }, fromMs, toMs) {
  const height = high - low || 1;
  /** @type {number | null} */
  let before = null;
  return values
    .map(([ms, value]) => {
      const x = ((ms - fromMs) / (toMs - fromMs)) * WIDTH;
      const y = HEIGHT - ((value - low) / height) * HEIGHT;
      const goesOn = before !== null && ms - before <= 2 * MINUTE_MS;
      before = ms;
      return `${goesOn ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}
