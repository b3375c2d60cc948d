import assert from "node:assert/strict";
import { test } from "node:test";

import { limitOf, withLimit } from "../../serve/web/static/lib/limits.js";

test("a limit is set, changed and taken away", () => {
  const queue = withLimit(null, "queue", 5);
  assert.deepEqual(queue?.queue, { people: 5, clear: null, hold_s: 5, cool_down_s: 60 });
  const both = withLimit(queue, "dwell_s", 300);
  assert.deepEqual([limitOf(both, "queue"), limitOf(both, "dwell_s"), limitOf(both, "occupancy")], [5, 300, null]);
  const one = withLimit(both, "queue", null);
  assert.deepEqual(one, { dwell_s: 300, queue: null, occupancy: null });
  assert.equal(withLimit(one, "dwell_s", null), null);
});

test("what was set by script stays as far as it fits", () => {
  const limits = { dwell_s: null, queue: { people: 5, clear: 3, hold_s: 10, cool_down_s: 0 }, occupancy: null };
  assert.deepEqual(withLimit(limits, "queue", 8)?.queue, { people: 8, clear: 3, hold_s: 10, cool_down_s: 0 });
  assert.equal(withLimit(limits, "queue", 2)?.queue?.clear, null);
});

test("a zone without limits has none", () => {
  for (const limits of [null, undefined]) assert.equal(limitOf(limits, "queue"), null);
});
