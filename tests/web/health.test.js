import assert from "node:assert/strict";
import { test } from "node:test";

import { conditionOf, countsOf, fleetOf, isOn, knownText, sinceText } from "../../serve/web/static/lib/health.js";
import { HEIGHT, pathOf, rangeOf, valuesOf, WIDTH } from "../../serve/web/static/lib/trace.js";

/** @import { Alert, StreamView } from "../../serve/web/types/documents.js" */

/**
 * @param {Partial<StreamView>} more
 * @returns {StreamView}
 */
function camera(more = {}) {
  const view = { id: "door", name: "Door", site: "", enabled: true, state: "running", error: null, error_code: null };
  return /** @type {StreamView} */ ({ ...view, ...more });
}

/**
 * @param {Partial<Alert>} more
 * @returns {Alert}
 */
function alert(more = {}) {
  return {
    id: "0".repeat(32),
    rule: "camera-moved",
    about: "door",
    severity: "warning",
    summary: "It was moved.",
    detail: "5 %",
    advice: "Turn it back.",
    state: "active",
    since: "2026-03-01T09:00:00Z",
    raised: "2026-03-01T09:00:20Z",
    cleared: null,
    acknowledged_by: null,
    acknowledged: null,
    silenced: false,
    ...more,
  };
}

test("a camera is as bad as the worst that is on about it", () => {
  assert.equal(conditionOf(camera(), []), "good");
  assert.equal(conditionOf(camera(), [alert()]), "warn");
  assert.equal(conditionOf(camera(), [alert(), alert({ severity: "critical" })]), "bad");
  assert.equal(conditionOf(camera(), [alert({ severity: "info" })]), "good");
});

test("what may pass is not shown yet, and what seems to be over still is", () => {
  assert.equal(conditionOf(camera(), [alert({ state: "pending" })]), "good");
  assert.equal(conditionOf(camera(), [alert({ state: "clearing" })]), "warn");
  assert.ok(!isOn(alert({ state: "pending" })));
});

test("without any alert, its state says enough", () => {
  assert.equal(conditionOf(camera({ state: "reconnecting" }), []), "warn");
  assert.equal(conditionOf(camera({ state: "failed" }), []), "bad");
  assert.equal(conditionOf(camera({ error_code: "overloaded" }), []), "warn");
  assert.equal(conditionOf(camera({ enabled: false, state: "stopped" }), [alert({ severity: "critical" })]), "off");
});

test("cameras stand by their sites, in the order in which they came, and say what is wrong", () => {
  const streams = [camera(), camera({ id: "till", name: "", site: "Ulm" }), camera({ id: "hall", name: "Hall" })];
  const fleet = fleetOf(streams, [alert(), alert({ about: "service", severity: "critical" })]);
  assert.deepEqual(
    fleet.map(([site, cells]) => [site, cells.map((cell) => [cell.title, cell.condition])]),
    [
      [
        "",
        [
          ["Door", "warn"],
          ["Hall", "good"],
        ],
      ],
      ["Ulm", [["till", "good"]]],
    ],
  );
  assert.equal(fleet[0][1][0].words, "It was moved.");
  assert.deepEqual(countsOf(fleet), { bad: 0, warn: 1, good: 2, off: 0 });
});

test("since when is told as a moment and as a length", () => {
  assert.match(sinceText(alert(), Date.parse("2026-03-01T09:05:00Z")), /^since .*\(5 min\)$/);
  assert.match(sinceText(alert(), Date.parse("2026-03-01T08:00:00Z")), /\(0\.0 s\)$/);
});

test("who knows of it is told, and that nobody wants to hear of it before that", () => {
  assert.equal(knownText(alert()), "");
  assert.equal(knownText(alert({ acknowledged_by: "anna" })), "anna knows");
  assert.equal(knownText(alert({ acknowledged_by: "this-machine" })), "Known");
  assert.equal(knownText(alert({ acknowledged_by: "anna", silenced: true })), "Silenced");
});

const NINE = Date.parse("2026-03-01T09:00:00Z");
const MOMENTS = [0, 1, 2, 10, 11].map((minute) => ({
  start: new Date(NINE + minute * 60_000).toISOString(),
  values: /** @type {Record<string, number>} */ (minute === 1 ? { other: 1 } : { fps_in: minute }),
}));

test("of a field there are only the minutes that know it", () => {
  assert.deepEqual(
    valuesOf(MOMENTS, "fps_in").map(([ms, value]) => [(ms - NINE) / 60_000, value]),
    [
      [0, 0],
      [2, 2],
      [10, 10],
      [11, 11],
    ],
  );
  assert.deepEqual(valuesOf(MOMENTS, "nothing"), []);
});

test("a line has a gap where nothing is known for more than a minute", () => {
  const values = valuesOf(MOMENTS, "fps_in");
  const path = pathOf(values, { low: 0, high: 11 }, NINE, NINE + 11 * 60_000);
  assert.deepEqual(path.match(/[ML]/g), ["M", "L", "M", "L"]);
  assert.ok(path.startsWith(`M0.0 ${HEIGHT.toFixed(1)}`));
  assert.ok(path.endsWith(`L${WIDTH.toFixed(1)} 0.0`));
});

test("what hardly changes does not fill the height", () => {
  assert.deepEqual(
    rangeOf(
      [
        [0, 5],
        [1, 5],
      ],
      2,
    ),
    { low: 4, high: 6 },
  );
  assert.deepEqual(
    rangeOf(
      [
        [0, 0],
        [1, 10],
      ],
      2,
    ),
    { low: 0, high: 10 },
  );
});

test("what cannot be negative is not drawn as if it were", () => {
  const still = /** @type {[number, number][]} */ ([
    [0, 0],
    [1, 0],
  ]);
  assert.deepEqual(rangeOf(still, 0.2, 0), { low: 0, high: 0.2 });
});
