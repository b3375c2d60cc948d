import assert from "node:assert/strict";
import { test } from "node:test";

import { captionOf, headingOf, nameOf } from "../../serve/web/static/lib/view-pictures.js";

/** @import { ViewPicture } from "../../serve/web/types/documents.js" */

/**
 * @param {Partial<ViewPicture>} more
 * @returns {ViewPicture}
 */
function picture(more = {}) {
  return { kind: "before", captured: "2026-03-01T09:00:00Z", version: 1, blurred: true, ...more };
}

test("another picture has another name", () => {
  const names = [
    picture(),
    picture({ kind: "after" }),
    picture({ version: 2 }),
    picture({ captured: "2026-03-01T09:00:01Z" }),
  ].map(nameOf);
  assert.equal(new Set(names).size, 4);
  assert.equal(nameOf(picture()), nameOf(picture({ blurred: false })));
});

test("a heading says which it is, a caption when that was and whether people are to be seen", () => {
  assert.notEqual(headingOf(picture()), headingOf(picture({ kind: "after" })));
  assert.match(captionOf(picture()), /people pixelated$/);
  assert.doesNotMatch(captionOf(picture({ blurred: false })), /pixelated/);
  assert.match(captionOf(picture()), /\d/);
});
