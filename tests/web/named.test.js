import assert from "node:assert/strict";
import { test } from "node:test";

import { named } from "../../serve/web/static/lib/named.js";

/** @import { LineDocument } from "../../serve/web/types/documents.js" */

/** @type {LineDocument} */
const DOOR = { id: "door", name: "", a: [0, 0], b: [1, 1], in_name: "enter", out_name: "leave" };

test("lines that are drawn come first, those of the past after them and say so", () => {
  const { lines, zones } = named({ lines: [DOOR], zones: [] }, { lines: { gate: {}, door: {} }, zones: { till: {} } });
  assert.deepEqual(
    lines.map(({ label, in_name }) => [label, in_name]),
    [
      ["door", "enter"],
      ["gate (not drawn any more)", "in"],
    ],
  );
  assert.deepEqual(
    zones.map(({ label }) => label),
    ["till (not drawn any more)"],
  );
});

test("what is drawn is there before anything is counted", () => {
  assert.equal(named({ lines: [DOOR], zones: [] }, { lines: {}, zones: {} }).lines.length, 1);
});
