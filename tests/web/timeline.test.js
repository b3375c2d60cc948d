import assert from "node:assert/strict";
import { test } from "node:test";

import { amountRange, inTime } from "../../serve/web/static/lib/timeline.js";

/** @import { Bucket } from "../../serve/web/types/documents.js" */

/**
 * @param {string} start
 * @param {string} end
 * @returns {Bucket}
 */
function bucket(start, end) {
  const people = { mean: 1, peak: 1, person_seconds: 60 };
  const seen = { coverage: 1, analysed_fps: 6, people, lines: {}, zones: {} };
  return { start: `2026-09-27T${start}Z`, end: `2026-09-27T${end}Z`, ...seen };
}

const minutes = [bucket("12:01", "12:02"), bucket("12:02", "12:03"), bucket("12:05", "12:06")];
const report = { start: "2026-09-27T12:00Z", end: "2026-09-27T12:10Z", buckets: minutes };
const noon = Date.parse(report.start) / 1000;

test("what was not seen is a gap before, between and after", () => {
  const { gaps, buckets } = inTime(report);
  assert.deepEqual(
    gaps.map(([from, to]) => [(from - noon) / 60, (to - noon) / 60]),
    [
      [0, 1],
      [3, 5],
      [6, 10],
    ],
  );
  assert.deepEqual(buckets, [null, minutes[0], minutes[1], null, minutes[2], null]);
});

test("every column begins where the one before it ends", () => {
  const { starts, ends, end } = inTime(report);
  assert.deepEqual(starts.slice(1), ends.slice(0, -1));
  assert.equal(ends.at(-1), end);
});

test("a window of which nothing was seen is one gap", () => {
  const { gaps, start, end } = inTime({ ...report, buckets: [] });
  assert.deepEqual(gaps, [[start, end]]);
});

test("zero is always on the axis, with air beyond the amounts", () => {
  assert.deepEqual(amountRange(null, null), [0, 1]);
  assert.deepEqual(amountRange(0, 0), [0, 1]);
  const [bottom, top] = amountRange(-5, 10);
  assert.ok(bottom < -5 && top > 10);
  assert.equal(amountRange(3, 10)[0], 0);
});
