import assert from "node:assert/strict";
import { test } from "node:test";

import { freeId, slug } from "../../serve/web/static/lib/names.js";
import { documentOf, freeName, nameOf, pointsOf, shapesOf, withPoints } from "../../serve/web/static/lib/shapes.js";

/** @import { Geometry, LineShape, ZoneShape } from "../../serve/web/types/documents.js" */

/** @type {Geometry} */
const GEOMETRY = {
  lines: [{ id: "door", name: "Door", a: [0.5, 0.1], b: [0.5, 0.9], in_name: "enter", out_name: "leave" }],
  zones: [
    {
      id: "till",
      name: "Till",
      polygon: [
        [0.6, 0.5],
        [0.9, 0.5],
        [0.9, 0.9],
      ],
      dwell_min_s: 3,
      limits: { dwell_s: 300, queue: { people: 5, clear: 3, hold_s: 5, cool_down_s: 60 }, occupancy: null },
    },
  ],
  homography: null,
  version: 4,
};
/** @type {LineShape} */
const FRESH = { kind: "line", key: "new/1", name: "Tür Süd", a: [0, 0], b: [1, 1], in_name: "in", out_name: "out" };
/** @type {ZoneShape} */
const NAMELESS = { kind: "zone", key: "new/2", name: "", polygon: [], dwell_min_s: 3 };

test("what comes from the API goes back as it was", () => {
  assert.deepEqual(documentOf(shapesOf(GEOMETRY), GEOMETRY.homography, GEOMETRY.version), GEOMETRY);
});

test("a new shape gets an id of its name, or of its kind", () => {
  const { lines, zones } = documentOf([FRESH, NAMELESS], null, null);
  assert.deepEqual([lines[0].id, zones[0].id], ["tur-sud", "zone"]);
});

test("two shapes of one name get two ids, and what was saved keeps its own", () => {
  const door = { ...FRESH, name: "Door" };
  const { lines } = documentOf([door, ...shapesOf(GEOMETRY), { ...door, key: "new/3" }], null, 4);
  assert.deepEqual(
    lines.map(({ id }) => id),
    ["door-2", "door", "door-3"],
  );
});

test("points are put back where they came from", () => {
  for (const shape of shapesOf(GEOMETRY)) assert.deepEqual(withPoints(shape, pointsOf(shape)), shape);
});

test("names are free ones, and a shape without a name goes by its id", () => {
  const named = { ...FRESH, name: "Line 1" };
  assert.equal(freeName("line", [named]), "Line 2");
  assert.equal(freeName("zone", [named]), "Zone 1");
  assert.equal(nameOf({ ...NAMELESS, id: "z" }), "z");
});

test("an id holds what the API takes, whatever the name holds", () => {
  assert.equal(slug("Fürth, Eingang 1"), "furth-eingang-1");
  assert.equal(slug("  --  "), "");
  assert.equal(slug("入口"), "");
  assert.ok(slug("x".repeat(200)).length <= 60);
});

test("a taken id gets a number, within the length that the API takes", () => {
  const long = "x".repeat(60);
  assert.equal(freeId("a", new Set(["a", "a-2"])), "a-3");
  assert.ok(freeId(long, new Set([long])).length <= 64);
});
