/** Buckets in a row, with what lies between them. */

/** @import { Bucket, CountsReport } from "../../types/documents.js" */

/**
 * Zero is always there; a little air above and below.
 *
 * @param {number | null} low
 * @param {number | null} high
 * @returns {[number, number]}
 */
export function amountRange(low, high) {
  const top = Math.max(high ?? 0, 0);
  const bottom = Math.min(low ?? 0, 0);
  if (top === 0 && bottom === 0) return [0, 1];
  return [bottom * 1.3, Math.max(top * 1.12, bottom === 0 ? 1 : 0)];
}

/**
 * Columns for a chart; where buckets are missing, one empty column each.
 *
 * Times are seconds since the epoch.
 *
 * @typedef {object} Timeline
 * @property {number} start
 * @property {number} end
 * @property {number[]} starts
 * @property {number[]} ends
 * @property {(Bucket | null)[]} buckets
 * @property {[number, number][]} gaps
 */

/**
 * @param {Pick<CountsReport, "start" | "end" | "buckets">} report
 * @returns {Timeline}
 */
export function inTime(report) {
  /** @param {string} text */
  const seconds = (text) => Date.parse(text) / 1000;
  const [start, end] = [seconds(report.start), seconds(report.end)];
  /** @type {Timeline} */
  const made = { start, end, starts: [], ends: [], buckets: [], gaps: [] };
  /** @type {(from: number, to: number) => void} */
  const gap = (from, to) => {
    if (to <= from) return;
    made.gaps.push([from, to]);
    made.starts.push(from);
    made.ends.push(to);
    made.buckets.push(null);
  };
  let reached = start;
  for (const bucket of report.buckets) {
    const [from, to] = [seconds(bucket.start), seconds(bucket.end)];
    gap(reached, from);
    made.starts.push(from);
    made.ends.push(to);
    made.buckets.push(bucket);
    reached = to;
  }
  gap(reached, end);
  return made;
}
