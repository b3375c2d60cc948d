/** How the whole fleet is: of each camera whether it is well, and of each alert what people need to know. */

/** @import { Alert, StreamView } from "../../types/documents.js" */

import { sentence, stateWord, title } from "./status.js";
import { duration, moment } from "./times.js";

/** @typedef {"good" | "warn" | "bad" | "off"} Condition */
/** @typedef {{ id: string, title: string, condition: Condition, words: string }} Cell */

/** @type {Record<Condition, string>} */
export const CONDITIONS = { bad: "Not counting", warn: "Look at it", good: "Well", off: "Stopped" };

/** @type {Record<string, string>} */
export const SEVERITIES = { critical: "Critical", warning: "Warning", info: "For your information" };

/**
 * Whether somebody should hear of it: it has lasted, and nobody has said otherwise.
 *
 * @param {Alert} alert
 */
export function isOn(alert) {
  return alert.state !== "pending";
}

/**
 * @param {StreamView} view
 * @param {Alert[]} mine alerts about it
 * @returns {Condition}
 */
export function conditionOf(view, mine) {
  if (!view.enabled) return "off";
  const on = mine.filter((alert) => isOn(alert) && alert.severity !== "info");
  if (on.some((alert) => alert.severity === "critical") || view.state === "failed") return "bad";
  return on.length || view.state !== "running" || view.error_code ? "warn" : "good";
}

/**
 * Cameras by site, those without a name first; within a site, the order of the API.
 *
 * @param {StreamView[]} streams
 * @param {Alert[]} alerts
 */
export function fleetOf(streams, alerts) {
  /** @type {Map<string, Alert[]>} */
  const about = new Map();
  for (const alert of alerts) about.set(alert.about, [...(about.get(alert.about) ?? []), alert]);
  /** @type {Map<string, Cell[]>} */
  const sites = new Map();
  for (const view of streams) {
    const mine = about.get(view.id) ?? [];
    const why = mine.filter(isOn).map((alert) => alert.summary);
    const words = why.length ? why.join(" ") : view.error ? sentence(view.error) : stateWord(view);
    const cell = { id: view.id, title: title(view), condition: conditionOf(view, mine), words };
    sites.set(view.site, [...(sites.get(view.site) ?? []), cell]);
  }
  return [...sites].sort(([one], [other]) => one.localeCompare(other));
}

/**
 * How many are how.
 *
 * @param {[string, Cell[]][]} fleet
 * @returns {Record<Condition, number>}
 */
export function countsOf(fleet) {
  const counts = { bad: 0, warn: 0, good: 0, off: 0 };
  for (const [, cells] of fleet) for (const cell of cells) counts[cell.condition] += 1;
  return counts;
}

/**
 * Since when, as a moment and as a length.
 *
 * @param {Pick<Alert, "since">} alert
 */
export function sinceText(alert, now = Date.now()) {
  const ms = Date.parse(alert.since);
  return `since ${moment(ms)} (${duration(Math.max(0, now - ms) / 1000)})`;
}

/**
 * Who knows of it, or wants to hear nothing of it; "" if nobody does.
 *
 * @param {Alert} alert
 */
export function knownText(alert) {
  if (alert.silenced) return "Silenced";
  if (alert.acknowledged_by === null) return "";
  return alert.acknowledged_by === LOCAL ? "Known" : `${alert.acknowledged_by} knows`;
}

/** What the API calls who needs no token. */
const LOCAL = "this-machine";

/** How long an alert can be silenced from the page, with the words for it. */
export const SILENCES = [
  { seconds: 3600, words: "an hour" },
  { seconds: 86_400, words: "a day" },
  { seconds: 7 * 86_400, words: "a week" },
];
