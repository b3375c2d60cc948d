import assert from "node:assert/strict";
import { test } from "node:test";

import { centre, clamp, crossesItself, inArrow, shifted } from "../../serve/web/static/lib/geometry.js";

/** @import { Point } from "../../serve/web/types/documents.js" */

/**
 * @param {Point} actual
 * @param {Point} expected
 */
function close(actual, expected) {
  assert.ok(Math.hypot(actual[0] - expected[0], actual[1] - expected[1]) < 1e-9, `${actual} is not ${expected}`);
}

test("in is from left to right of a line that is drawn from top to bottom", () => {
  const { from, to } = inArrow([50, 0], [50, 100], 20);
  close(from, [50, 50]);
  close(to, [70, 50]);
});

test("turning a line round turns its arrow", () => {
  close(inArrow([50, 100], [50, 0], 20).to, [30, 50]);
});

test("the arrow has its length on every slant, and both wings behind its tip", () => {
  for (let degrees = 0; degrees < 360; degrees += 15) {
    const radians = (degrees * Math.PI) / 180;
    const { from, to, wings } = inArrow([0, 0], [80 * Math.cos(radians), 80 * Math.sin(radians)], 30);
    assert.ok(Math.abs(Math.hypot(to[0] - from[0], to[1] - from[1]) - 30) < 1e-9);
    for (const wing of wings) {
      const along = (wing[0] - from[0]) * (to[0] - from[0]) + (wing[1] - from[1]) * (to[1] - from[1]);
      assert.ok(along / 30 < 30 && along > 0);
    }
  }
});

test("a line without length has an arrow all the same", () => {
  const { from, to } = inArrow([10, 10], [10, 10]);
  assert.ok([...from, ...to].every(Number.isFinite));
});

test("places outside the picture are moved to its edge", () => {
  assert.deepEqual(clamp([-0.2, 1.7]), [0, 1]);
  assert.deepEqual(clamp([0.123_456, 0.5]), [0.1235, 0.5]);
});

test("the centre is the mean of the corners", () => {
  close(
    centre([
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 1],
    ]),
    [0.5, 0.5],
  );
});

test("a bow tie crosses itself, the same corners in another order do not", () => {
  /** @type {Point[]} */
  const bow = [
    [0.2, 0.2],
    [0.8, 0.8],
    [0.8, 0.2],
    [0.2, 0.8],
  ];
  assert.equal(crossesItself(bow), true);
  assert.equal(crossesItself([bow[0], bow[2], bow[1], bow[3]]), false);
});

test("a triangle cannot cross itself, and a dented zone does not", () => {
  assert.equal(
    crossesItself([
      [0, 0],
      [1, 0],
      [0, 1],
    ]),
    false,
  );
  assert.equal(
    crossesItself([
      [0, 0],
      [1, 0],
      [1, 1],
      [0.5, 0.2],
      [0, 1],
    ]),
    false,
  );
});

test("the first and the last side count as well", () => {
  assert.equal(
    crossesItself([
      [0, 0],
      [1, 0],
      [1, 1],
      [0.5, -0.5],
      [0, 1],
    ]),
    true,
  );
});

test("a shape that is moved keeps its form and stays in the picture", () => {
  /** @type {Point[]} */
  const line = [
    [0.2, 0.2],
    [0.6, 0.4],
  ];
  assert.deepEqual(shifted(line, [0.1, -0.1]), [
    [0.3, 0.1],
    [0.7, 0.3],
  ]);
  assert.deepEqual(shifted(line, [0.9, -0.9]), [
    [0.6, 0],
    [1, 0.2],
  ]);
});
