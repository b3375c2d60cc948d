import assert from "node:assert/strict";
import { test } from "node:test";

import { WINDOWS, bucketOf, midnight, periodOf, queryOf, questionOf } from "../../serve/web/static/lib/periods.js";
import { BROWSER_ZONE, instant } from "../../serve/web/static/lib/times.js";

const BERLIN = "Europe/Berlin";
const NOON = Date.parse("2026-09-27T12:00:30Z");

/**
 * @param {string} search
 * @param {number} now
 */
function ask(search, now) {
  return questionOf(periodOf(new URLSearchParams(search), now), now);
}

test("an empty address shows the last hour by minutes, the one that runs included", () => {
  const { start, end, bucket, tz } = ask("", NOON);
  assert.deepEqual([Number(end) * 1000, bucket, tz], [NOON, "1m", BROWSER_ZONE]);
  assert.equal(Number(start) * 1000, Date.parse("2026-09-27T11:01:00Z"));
});

test("nonsense in the address is passed over", () => {
  const period = periodOf(new URLSearchParams("window=toString&bucket=7s&tz=Mars/Olympus"), NOON);
  assert.deepEqual([period.window, period.bucket, period.zone], ["1h", "auto", BROWSER_ZONE]);
});

test("an address says again what it was made of", () => {
  for (const window of Object.keys(WINDOWS)) {
    const period = periodOf(new URLSearchParams({ window, bucket: "1h", tz: "Asia/Tokyo" }), NOON);
    assert.deepEqual(periodOf(queryOf(period), NOON), period);
  }
  const custom = "window=custom&bucket=auto&tz=Asia%2FTokyo&start=2026-01-01T00%3A00&end=2026-01-02T00%3A00";
  assert.equal(queryOf(periodOf(new URLSearchParams(custom), NOON)).toString(), custom);
});

test("today begins at midnight of the zone that is asked for, not of the browser's", () => {
  const late = Date.parse("2026-09-27T22:30:00Z");
  assert.equal(ask(`window=today&tz=${BERLIN}`, late).start, "2026-09-28T00:00");
  assert.equal(ask("window=today&tz=America/New_York", late).start, "2026-09-27T00:00");
  assert.equal(ask("window=today&tz=Pacific/Kiritimati", late).start, "2026-09-28T00:00");
});

test("yesterday is a day of the calendar, after a day of 23 hours", () => {
  // Clocks went forward on 2026-03-29; half an hour into the 30th, 24 hours ago was the 28th.
  const question = ask(`window=yesterday&tz=${BERLIN}`, Date.parse("2026-03-29T22:30:00Z"));
  assert.deepEqual([question.start, question.end], ["2026-03-29T00:00", "2026-03-30T00:00"]);
});

test("yesterday is a day of the calendar, on a day of 25 hours", () => {
  // Clocks went back on 2026-10-25; half an hour before its end, 24 hours ago was still the 25th.
  const question = ask(`window=yesterday&tz=${BERLIN}`, Date.parse("2026-10-25T22:30:00Z"));
  assert.deepEqual([question.start, question.end], ["2026-10-24T00:00", "2026-10-25T00:00"]);
});

test("seven and thirty days are counted by the calendar as well", () => {
  const now = Date.parse("2026-03-29T22:30:00Z");
  assert.equal(ask(`window=7d&tz=${BERLIN}`, now).start, "2026-03-24T00:00");
  assert.equal(ask(`window=30d&tz=${BERLIN}`, now).start, "2026-03-01T00:00");
  assert.equal(midnight(Date.parse("2027-01-01T12:00:00Z"), "UTC", -1), "2026-12-31T00:00");
});

test("buckets grow with the window", () => {
  const noon = Date.parse("2026-09-27T10:00:00Z");
  const bucket = (/** @type {string} */ window) => ask(`window=${window}&tz=${BERLIN}`, noon).bucket;
  assert.deepEqual(["1h", "6h", "today", "yesterday", "7d", "30d"].map(bucket), [
    "1m",
    "15m",
    "15m",
    "15m",
    "1h",
    "1d",
  ]);
});

test("the length of a window is measured on the clock of its zone", () => {
  // At two in the morning there, two hours of the day have gone, whatever the browser's clock says.
  assert.equal(ask("window=today&tz=Pacific/Auckland", Date.parse("2026-06-30T14:00:00Z")).bucket, "1m");
  assert.equal(ask("window=today&tz=Pacific/Auckland", Date.parse("2026-06-30T18:00:00Z")).bucket, "15m");
});

test("a bucket that is chosen is kept, whatever the window", () => {
  assert.equal(ask("window=30d&bucket=1m", NOON).bucket, "1m");
  assert.equal(bucketOf("15m"), "15m");
  assert.equal(bucketOf(null), "auto");
});

test("a custom window goes to the API as it was typed", () => {
  const { start, end } = ask("window=custom&start=2026-03-01T08:00&end=2026-03-01T09:00", NOON);
  assert.deepEqual([start, end], ["2026-03-01T08:00", "2026-03-01T09:00"]);
});

test("windows that end now are live, those that are over are not", () => {
  const live = Object.keys(WINDOWS).filter((key) => WINDOWS[key].live);
  assert.deepEqual(live, ["1h", "6h", "today", "7d", "30d"]);
});

test("a local time is found again in its zone, around changes of clocks too", () => {
  const cases = {
    "2026-07-01T12:00": "2026-07-01T10:00Z",
    "2026-01-01T12:00": "2026-01-01T11:00Z",
    "2026-03-29T01:59": "2026-03-29T00:59Z",
    "2026-03-29T03:00": "2026-03-29T01:00Z",
    "2026-10-25T01:59": "2026-10-24T23:59Z",
    "2026-10-25T03:00": "2026-10-25T02:00Z",
  };
  for (const [local, utc] of Object.entries(cases)) assert.equal(instant(local, BERLIN), Date.parse(utc), local);
  assert.equal(instant("2026-01-01T00:00", "Asia/Kathmandu"), Date.parse("2025-12-31T18:15Z"));
});
