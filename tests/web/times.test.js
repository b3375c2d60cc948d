import assert from "node:assert/strict";
import { test } from "node:test";

import { sentence } from "../../serve/web/static/lib/status.js";
import { amount, duration, isoDay, percent, span } from "../../serve/web/static/lib/times.js";

test("a day is that of the zone", () => {
  const ms = Date.parse("2026-12-31T23:30:00Z");
  assert.equal(isoDay(ms, "UTC"), "2026-12-31");
  assert.equal(isoDay(ms, "Europe/Berlin"), "2027-01-01");
});

test("a span names its day once, and midnight belongs to the day that ends", () => {
  const [from, noon, to] = ["2026-09-27T00:00Z", "2026-09-27T12:00Z", "2026-09-28T00:00Z"].map(Date.parse);
  assert.equal(span(from, noon, "UTC"), "27 Sept, 00:00 – 12:00");
  assert.equal(span(from, to, "UTC"), "27 Sept, 00:00 – 00:00");
  assert.equal(span(from, to + 1000, "UTC"), "27 Sept, 00:00 – 28 Sept, 00:00");
});

test("durations grow coarser as they grow longer", () => {
  assert.deepEqual([-1, 0.94, 9.94, 99, 5399, 172_799, 172_800].map(duration), [
    "0.0 s",
    "0.9 s",
    "9.9 s",
    "99 s",
    "90 min",
    "48 h",
    "2 days",
  ]);
});

test("no amount is a dash, never a zero", () => {
  assert.deepEqual([null, undefined, 0, 1.234, 12.34, 123.4, 12_345].map(amount), [
    "–",
    "–",
    "0",
    "1.23",
    "12.3",
    "123",
    "12,345",
  ]);
});

test("almost all is not all, and almost nothing is not nothing", () => {
  assert.deepEqual([0, 0.001, 0.5, 0.999, 1].map(percent), ["0 %", "1 %", "50 %", "99 %", "100 %"]);
});

test("a reason becomes a sentence, an address stays as it is", () => {
  assert.equal(sentence("nobody answers at rtsp://x"), "Nobody answers at rtsp://x");
  assert.equal(sentence("rtsp://x is away"), "rtsp://x is away");
  assert.equal(sentence(null), "");
});
