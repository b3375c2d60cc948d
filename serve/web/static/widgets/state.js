/** How a stream is, at a glance: a badge and figures. */

/** @import { StreamView } from "../../types/documents.js" */

import { el, setText } from "../lib/dom.js";
import { since, stateWord } from "../lib/status.js";
import { amount, duration } from "../lib/times.js";

export class Badge {
  element = el("span", { class: "badge" });

  /** @param {StreamView} view */
  update(view) {
    this.element.dataset.state = view.state;
    this.element.title = since(view);
    setText(this.element, stateWord(view));
  }
}

/** @type {{ key: string, label: string, hint: string, text: (view: StreamView) => string }[]} */
const FIGURES = [
  {
    key: "fps_in",
    label: "Frames in",
    hint: "Decoded frames a second",
    text: (view) => `${view.fps_in.toFixed(1)}/s`,
  },
  {
    key: "fps_processed",
    label: "Analysed",
    hint: "Analysed frames a second",
    text: (view) => `${view.fps_processed.toFixed(1)}/s`,
  },
  {
    key: "frame_age_s",
    label: "Frame age",
    hint: "Time since the newest analysed frame was taken",
    text: (view) => (view.frame_age_s === null ? "–" : duration(view.frame_age_s)),
  },
  {
    key: "skipped",
    label: "Skipped",
    hint: "Frames that a newer one replaced",
    text: (view) => amount(view.skipped),
  },
  {
    key: "weight",
    label: "CPU",
    hint: "Processor cores that it takes",
    text: (view) => (view.weight === null ? "–" : `${view.weight.toFixed(2)} cores`),
  },
];

export class Figures {
  #values = FIGURES.map(({ key }) => el("dd", { dataset: { figure: key } }, "–"));
  element = el(
    "dl",
    { class: "figures" },
    FIGURES.map(({ label, hint }, i) => el("div", { title: hint }, el("dt", null, label), this.#values[i])),
  );

  /** @param {StreamView} view */
  update(view) {
    FIGURES.forEach(({ text }, i) => setText(this.#values[i], view.enabled ? text(view) : "–"));
  }
}
