/** How a stream is, at a glance: a badge and figures. */

import { el, setText } from "../lib/dom.js";
import { since, stateWord } from "../lib/status.js";
import { amount, duration } from "../lib/times.js";

export class Badge {
  element = el("span", { class: "badge" });

  update(view) {
    this.element.dataset.state = view.state;
    this.element.title = since(view);
    setText(this.element, stateWord(view));
  }
}

const FIGURES = [
  ["fps_in", "Frames in", "Decoded frames a second", (view) => `${view.fps_in.toFixed(1)}/s`],
  ["fps_processed", "Analysed", "Analysed frames a second", (view) => `${view.fps_processed.toFixed(1)}/s`],
  [
    "frame_age_s",
    "Frame age",
    "Time since the newest analysed frame was taken",
    (view) => (view.frame_age_s === null ? "–" : duration(view.frame_age_s)),
  ],
  ["skipped", "Skipped", "Frames that a newer one replaced", (view) => amount(view.skipped)],
];

export class Figures {
  #values = FIGURES.map(([key]) => el("dd", { dataset: { figure: key } }, "–"));
  element = el(
    "dl",
    { class: "figures" },
    FIGURES.map(([, label, hint], i) => el("div", { title: hint }, el("dt", null, label), this.#values[i])),
  );

  update(view) {
    FIGURES.forEach(([, , , text], i) => setText(this.#values[i], view.enabled ? text(view) : "–"));
  }
}
