/** Counts by bucket as a table. */

/** @import { Bucket, CountsReport } from "../../types/documents.js" */
/** @import { NamedLine, NamedZone } from "../lib/named.js" */

import { el } from "../lib/dom.js";
import { amount, percent, span } from "../lib/times.js";

const MAX_ROWS = 300;

/**
 * @param {CountsReport} report
 * @param {NamedLine[]} lines
 * @param {NamedZone[]} zones
 * @param {string} zone the time zone
 */
export function countsTable(report, lines, zones, zone) {
  const heads = [
    "From – to",
    "Seen",
    ...lines.flatMap((line) => [`${line.label}: ${line.in_name || "in"}`, `${line.label}: ${line.out_name || "out"}`]),
    ...zones.flatMap(({ label }) => [`${label}: on average`, `${label}: at most`, `${label}: entries`]),
    "People on average",
  ];
  const buckets = report.buckets.slice(-MAX_ROWS).reverse();
  /** @param {Bucket} bucket */
  const cells = (bucket) => [
    percent(bucket.coverage),
    ...lines.flatMap(({ id }) => [bucket.lines[id]?.in, bucket.lines[id]?.out].map(amount)),
    ...zones.flatMap(({ id }) =>
      [bucket.zones[id]?.mean, bucket.zones[id]?.peak, bucket.zones[id]?.entries].map(amount),
    ),
    amount(bucket.people.mean),
  ];
  const left = report.buckets.length - buckets.length;
  return [
    el(
      "table",
      null,
      el("caption", { class: "unseen" }, "Counts by bucket, newest first; a bucket that was not seen is missing"),
      el(
        "thead",
        null,
        el(
          "tr",
          null,
          heads.map((text) => el("th", { scope: "col" }, text)),
        ),
      ),
      el(
        "tbody",
        null,
        buckets.map((bucket) =>
          el(
            "tr",
            null,
            el("th", { scope: "row" }, span(Date.parse(bucket.start), Date.parse(bucket.end), zone)),
            cells(bucket).map((text) => el("td", null, text)),
          ),
        ),
      ),
    ),
    ...(left ? [el("p", { class: "hint" }, `${left} older buckets are in the files.`)] : []),
  ];
}
