import assert from "node:assert/strict";
import { test } from "node:test";

import { capacityText } from "../../serve/web/static/lib/capacity.js";

const READER = { name: "a", node: "n1", capacity: 2, wanted: 1.37, streams: 6, leaving: false };

test("one reader is told with what its cameras want", () => {
  assert.equal(capacityText([READER]), "1 reader: cameras want 1.4 of 2.0 cores");
});

test("readers on several nodes are added up, and who leaves takes nothing more", () => {
  const readers = [READER, { ...READER, name: "b", node: "n2" }, { ...READER, name: "c", node: "n2", leaving: true }];
  assert.equal(capacityText(readers), "3 readers on 2 nodes, 1 of them leaving: cameras want 4.1 of 4.0 cores");
});

test("without any reader it is said what that means", () => {
  assert.equal(capacityText([]), "No reader is there: nothing is counted.");
});
