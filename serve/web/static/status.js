/** How a stream is, in words: badge, reason, figures. */

import { el, setText } from "./dom.js";
import { amount, duration, moment } from "./times.js";

export const STATE_WORDS = {
  starting: "Starting",
  running: "Running",
  reconnecting: "Reconnecting",
  stopped: "Stopped",
  failed: "Failed",
};

export function title(view) {
  return view.name || view.id;
}

export function stateWord(view) {
  return STATE_WORDS[view.state] ?? view.state;
}

/** Since when, as a moment and as a length. */
export function since(view) {
  const ms = Date.parse(view.since);
  return Number.isFinite(ms) ? `since ${moment(ms)} (${duration((Date.now() - ms) / 1000)})` : "";
}

/** First letter large, unless it begins an address: the API's reasons are written to follow a colon. */
export function sentence(text) {
  return /^\p{Ll}+[\s,]/u.test(text ?? "") ? text[0].toUpperCase() + text.slice(1) : (text ?? "");
}

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
