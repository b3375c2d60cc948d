/** How a stream is, in words. */

import { duration, moment } from "./times.js";

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
