/** Pictures of a camera's view: which ones to show, and what to say of them. */

/** @import { ViewPicture } from "../../types/documents.js" */

import { moment } from "./times.js";

/**
 * Names a picture: another name, another picture.
 *
 * @param {ViewPicture} picture
 */
export function nameOf(picture) {
  return `${picture.kind} ${picture.version} ${picture.captured}`;
}

/** @param {ViewPicture} picture */
export function headingOf(picture) {
  return picture.kind === "before" ? "How it should be" : "When something was found wrong";
}

/**
 * When it was captured, in words.
 *
 * @param {ViewPicture} picture
 */
export function captionOf(picture) {
  return `${moment(Date.parse(picture.captured))}${picture.blurred ? ", people pixelated" : ""}`;
}
