/** Windows of time that reports are asked for. */

import { BROWSER_ZONE, isZone, isoDay } from "./times.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MINUTE_MS = 60_000;

/** ``live`` windows end now and are asked for again and again. */
export const WINDOWS = {
  "1h": { label: "Last hour", live: true, bounds: (now) => [ago(now, HOUR_MS), now] },
  "6h": { label: "6 hours", live: true, bounds: (now) => [ago(now, 6 * HOUR_MS), now] },
  today: { label: "Today", live: true, bounds: (now, zone) => [midnight(now, zone), now] },
  yesterday: {
    label: "Yesterday",
    bounds: (now, zone) => [midnight(now - DAY_MS, zone), midnight(now, zone)],
  },
  "7d": { label: "7 days", live: true, bounds: (now, zone) => [midnight(now - 6 * DAY_MS, zone), now] },
  "30d": { label: "30 days", live: true, bounds: (now, zone) => [midnight(now - 29 * DAY_MS, zone), now] },
  custom: { label: "Custom", bounds: (now, zone, { start, end }) => [start, end] },
};
export const BUCKETS = [
  ["auto", "Automatic"],
  ["1m", "Minutes"],
  ["15m", "Quarter hours"],
  ["1h", "Hours"],
  ["1d", "Days"],
];

/** Local times without an offset are read by the API in the zone that is asked for. */
function midnight(ms, zone) {
  return `${isoDay(ms, zone)}T00:00`;
}

/** The API takes whole minutes, the one that runs included. */
function ago(now, length) {
  return Math.ceil(now / MINUTE_MS) * MINUTE_MS - length;
}

function lengthMs([start, end], now) {
  const ms = (value) => (typeof value === "number" ? value : Date.parse(value));
  return Math.min(ms(end), now + DAY_MS) - ms(start);
}

function bucketFor(length) {
  if (length <= 3 * HOUR_MS) return "1m";
  if (length <= 2 * DAY_MS) return "15m";
  return length <= 14 * DAY_MS ? "1h" : "1d";
}

/** What the page's address says, where it makes sense; else the last hour. */
export function periodOf(query, now = Date.now()) {
  const zone = query.get("tz");
  return {
    window: WINDOWS[query.get("window")] ? query.get("window") : "1h",
    bucket: BUCKETS.some(([key]) => key === query.get("bucket")) ? query.get("bucket") : "auto",
    zone: zone && isZone(zone) ? zone : BROWSER_ZONE,
    start: query.get("start") ?? midnight(now - DAY_MS, BROWSER_ZONE),
    end: query.get("end") ?? midnight(now, BROWSER_ZONE),
  };
}

/** For the address of the page, so that a reload or a link shows the same. */
export function addressOf({ window, bucket, zone, start, end }) {
  const query = new URLSearchParams({ window, bucket });
  if (zone !== BROWSER_ZONE) query.set("tz", zone);
  if (window === "custom") {
    query.set("start", start);
    query.set("end", end);
  }
  return query;
}

/** What the API is asked for at this moment. */
export function questionOf(period, now = Date.now()) {
  const bounds = WINDOWS[period.window].bounds(now, period.zone, period);
  const [start, end] = bounds.map((value) => (typeof value === "number" ? Math.floor(value / 1000) : value));
  const bucket = period.bucket === "auto" ? bucketFor(lengthMs(bounds, now)) : period.bucket;
  return { start, end, tz: period.zone, bucket };
}
