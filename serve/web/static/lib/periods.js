/** Windows of time that reports are asked for. */

import { BROWSER_ZONE, instant, isZone, isoDay } from "./times.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** @typedef {"1m" | "15m" | "1h" | "1d"} Bucket */

/**
 * What somebody has chosen.
 *
 * @typedef {object} Period
 * @property {string} window a key of WINDOWS
 * @property {Bucket | "auto"} bucket
 * @property {string} zone name of an IANA time zone
 * @property {string} start of a custom window, without an offset: read in the zone
 * @property {string} end likewise
 */

/**
 * A moment: milliseconds since the epoch, or a local time without an offset, which the API reads in the zone.
 *
 * @typedef {number | string} Moment
 */

/**
 * ``live`` windows end now and are asked for again and again.
 *
 * @type {Record<string, { label: string, live: boolean, bounds: (now: number, period: Period) => [Moment, Moment] }>}
 */
export const WINDOWS = {
  "1h": { label: "Last hour", live: true, bounds: (now) => [ago(now, HOUR_MS), now] },
  "6h": { label: "6 hours", live: true, bounds: (now) => [ago(now, 6 * HOUR_MS), now] },
  today: { label: "Today", live: true, bounds: (now, { zone }) => [midnight(now, zone), now] },
  yesterday: {
    label: "Yesterday",
    live: false,
    bounds: (now, { zone }) => [midnight(now, zone, -1), midnight(now, zone)],
  },
  "7d": { label: "7 days", live: true, bounds: (now, { zone }) => [midnight(now, zone, -6), now] },
  "30d": { label: "30 days", live: true, bounds: (now, { zone }) => [midnight(now, zone, -29), now] },
  custom: { label: "Custom", live: false, bounds: (_, { start, end }) => [start, end] },
};

/** @type {[Bucket | "auto", string][]} */
export const BUCKETS = [
  ["auto", "Automatic"],
  ["1m", "Minutes"],
  ["15m", "Quarter hours"],
  ["1h", "Hours"],
  ["1d", "Days"],
];

/**
 * Midnight of the day in which ``now`` lies, or of one some days from it.
 *
 * Days are counted by the calendar: where clocks change, a day has 23 or 25 hours, and 24 hours ago may be the day
 * before yesterday, or today.
 *
 * @param {number} now
 * @param {string} zone
 * @param {number} days
 */
export function midnight(now, zone, days = 0) {
  const date = new Date(`${isoDay(now, zone)}T00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return `${date.toISOString().slice(0, 10)}T00:00`;
}

/**
 * The API takes whole minutes, the one that runs included.
 *
 * @param {number} now
 * @param {number} length milliseconds
 */
function ago(now, length) {
  return Math.ceil(now / MINUTE_MS) * MINUTE_MS - length;
}

/**
 * @param {[Moment, Moment]} bounds
 * @param {number} now
 * @param {string} zone
 */
function lengthMs([start, end], now, zone) {
  /** @param {Moment} moment */
  const ms = (moment) => (typeof moment === "number" ? moment : instant(moment, zone));
  return Math.min(ms(end), now + DAY_MS) - ms(start);
}

/**
 * @param {number} length milliseconds
 * @returns {Bucket}
 */
function bucketFor(length) {
  if (length <= 3 * HOUR_MS) return "1m";
  if (length <= 2 * DAY_MS) return "15m";
  return length <= 14 * DAY_MS ? "1h" : "1d";
}

/**
 * The choice of that name; automatic if there is none.
 *
 * @param {string | null} name
 */
export function bucketOf(name) {
  return BUCKETS.find(([key]) => key === name)?.[0] ?? "auto";
}

/**
 * What the page's address says, where it makes sense; else the last hour.
 *
 * @param {URLSearchParams} query
 * @param {number} now
 * @returns {Period}
 */
export function periodOf(query, now = Date.now()) {
  const window = query.get("window") ?? "";
  const zone = query.get("tz");
  return {
    window: Object.hasOwn(WINDOWS, window) ? window : "1h",
    bucket: bucketOf(query.get("bucket")),
    zone: zone && isZone(zone) ? zone : BROWSER_ZONE,
    start: query.get("start") ?? midnight(now, BROWSER_ZONE, -1),
    end: query.get("end") ?? midnight(now, BROWSER_ZONE),
  };
}

/**
 * For the address of the page, so that a reload or a link shows the same.
 *
 * @param {Period} period
 */
export function queryOf({ window, bucket, zone, start, end }) {
  const query = new URLSearchParams({ window, bucket });
  if (zone !== BROWSER_ZONE) query.set("tz", zone);
  if (window === "custom") {
    query.set("start", start);
    query.set("end", end);
  }
  return query;
}

/**
 * What the API is asked for at this moment.
 *
 * @param {Period} period
 * @param {number} now
 */
export function questionOf(period, now = Date.now()) {
  const bounds = WINDOWS[period.window].bounds(now, period);
  const [start, end] = bounds.map((moment) => (typeof moment === "number" ? `${Math.floor(moment / 1000)}` : moment));
  const bucket = period.bucket === "auto" ? bucketFor(lengthMs(bounds, now, period.zone)) : period.bucket;
  return { start, end, tz: period.zone, bucket };
}
