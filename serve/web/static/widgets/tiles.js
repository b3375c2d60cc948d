/** Totals of a window in large figures. */

/** @import { LineCounts, ZoneCounts } from "../../types/documents.js" */
/** @import { NamedLine, NamedZone } from "../lib/named.js" */

import { el } from "../lib/dom.js";
import { amount, duration } from "../lib/times.js";

/**
 * @param {string} heading
 * @param {string} number
 * @param {string} unit
 * @param {[string, string][]} details
 * @param {string} kind
 */
export function tile(heading, number, unit, details, kind) {
  return el(
    "article",
    { class: "tile", dataset: { kind } },
    el("h3", null, heading),
    el("p", { class: "tile-number" }, number, el("small", null, unit)),
    el(
      "dl",
      null,
      details.map(([label, value]) => el("div", null, el("dt", null, label), el("dd", null, value))),
    ),
  );
}

/**
 * @param {NamedLine} line
 * @param {LineCounts | undefined} total
 */
export function lineTile(line, total) {
  /** @type {(name: string, value: number | undefined, kind: string) => HTMLElement} */
  const pair = (name, value, kind) =>
    el("p", { class: "tile-number", dataset: { kind } }, amount(value), el("small", null, name));
  return el(
    "article",
    { class: "tile", dataset: { kind: "line", line: line.id } },
    el("h3", null, line.label),
    el(
      "div",
      { class: "tile-pair" },
      pair(line.in_name || "in", total?.in, "in"),
      pair(line.out_name || "out", total?.out, "out"),
    ),
    el(
      "dl",
      null,
      el("div", null, el("dt", null, "difference"), el("dd", null, total ? signed(total.in - total.out) : "–")),
    ),
  );
}

/** @param {number} value */
function signed(value) {
  return value > 0 ? `+${amount(value)}` : amount(value).replace("-", "−");
}

/**
 * @param {NamedZone} zone
 * @param {ZoneCounts | undefined} total
 */
export function zoneTile(zone, total) {
  /** @param {number | null | undefined} seconds */
  const stay = (seconds) => (seconds === null || seconds === undefined ? "–" : duration(seconds));
  /** @type {[string, string][]} */
  const details = [
    ["at most", amount(total?.peak)],
    ["entries", amount(total?.entries)],
    ["half stay over", stay(total?.dwell_p50_s)],
    ["1 in 10 over", stay(total?.dwell_p90_s)],
  ];
  return tile(zone.label, amount(total?.mean), "on average", details, "zone");
}
