/** What came of trying a source. */

/** @import { ProbeResult } from "../../types/documents.js" */

import { el } from "../lib/dom.js";
import { sentence } from "../lib/status.js";
import { amount } from "../lib/times.js";

/**
 * @param {string} heading
 * @param {string} text
 * @param {string | null} state
 */
export function notice(heading, text, state = null) {
  const words = el("div", { class: "picture-notice" }, el("strong", null, heading), el("span", null, text));
  return el("div", { class: "picture vacant", dataset: state ? { state } : {} }, words);
}

/** @param {ProbeResult} result */
export function found(result) {
  const picture = el("div", { class: "picture" }, el("img", { src: result.snapshot, alt: "Snapshot of the camera" }));
  picture.style.aspectRatio = `${result.width} / ${result.height}`;
  /** @type {(label: string, value: string) => HTMLElement} */
  const fact = (label, value) => el("div", null, el("dt", null, label), el("dd", null, value));
  const declared = result.declared_fps ? `, ${amount(result.declared_fps)} declared` : "";
  return [
    picture,
    el("p", { class: "verdict good" }, "It works."),
    el(
      "dl",
      { class: "figures" },
      fact("Codec", result.codec ?? "–"),
      fact("Size", `${result.width} × ${result.height}`),
      fact(
        "Frames a second",
        result.measured_fps ? `${amount(result.measured_fps)} measured${declared}` : "too few to tell",
      ),
    ),
  ];
}

/** @param {ProbeResult} result */
export function refused(result) {
  const hint =
    result.error_code === "source-not-allowed"
      ? "It cannot be saved like this: ask whoever runs the service to allow it in its settings."
      : "You may save it all the same: the service keeps trying and starts when the camera answers.";
  return [notice("It does not work", `${sentence(result.error ?? "")}.`, "failed"), el("p", { class: "hint" }, hint)];
}
