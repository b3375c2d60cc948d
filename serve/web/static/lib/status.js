/** How a stream is, in words. */

/** @import { StreamView } from "../../types/documents.js" */

import { duration, moment } from "./times.js";

/** @type {Record<string, string>} */
const STATE_WORDS = {
  starting: "Starting",
  running: "Running",
  reconnecting: "Reconnecting",
  stopped: "Stopped",
  failed: "Failed",
};

/** @param {Pick<StreamView, "id" | "name">} view */
export function title(view) {
  return view.name || view.id;
}

/** @param {Pick<StreamView, "state">} view */
export function stateWord(view) {
  return STATE_WORDS[view.state] ?? view.state;
}

/**
 * Since when, as a moment and as a length.
 *
 * @param {Pick<StreamView, "since">} view
 */
export function since(view) {
  const ms = Date.parse(view.since);
  return Number.isFinite(ms) ? `since ${moment(ms)} (${duration((Date.now() - ms) / 1000)})` : "";
}

/**
 * First letter large, unless it begins an address: the API's reasons are written to follow a colon.
 *
 * @param {string | null | undefined} text
 */
export function sentence(text) {
  if (!text) return "";
  return /^\p{Ll}+[\s,]/u.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
}
