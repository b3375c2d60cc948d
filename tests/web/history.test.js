import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../serve/web/static/lib/history.js";

test("nothing has changed at first, and there is nothing to undo", () => {
  const history = new History("a");
  history.undo();
  history.redo();
  assert.deepEqual([history.value, history.changed, history.canUndo, history.canRedo], ["a", false, false, false]);
});

test("changes are undone and redone one by one", () => {
  const history = new History("a");
  history.commit("b");
  history.commit("c");
  history.undo();
  assert.deepEqual([history.value, history.canRedo], ["b", true]);
  history.undo();
  assert.deepEqual([history.value, history.changed], ["a", false]);
  history.redo();
  history.redo();
  assert.equal(history.value, "c");
});

test("the steps of one drag are undone at once, two drags one by one", () => {
  const history = new History(0);
  for (const place of [1, 2, 3]) history.commit(place, "drag");
  history.settle();
  for (const place of [4, 5]) history.commit(place, "drag");
  history.undo();
  assert.equal(history.value, 3);
  history.undo();
  assert.equal(history.value, 0);
});

test("a new change forgets what was undone", () => {
  const history = new History("a");
  history.commit("b");
  history.undo();
  history.commit("c");
  assert.equal(history.canRedo, false);
});
