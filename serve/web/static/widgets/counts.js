/** Counts of one camera over a window: totals, charts, a table, files. */

/** @import { Bucket, CountsReport, Geometry } from "../../types/documents.js" */
/** @import { NamedLine, NamedZone } from "../lib/named.js" */
/** @import { Series } from "./charts.js" */
/** @import { Period } from "./period.js" */
/** @import { UPlot } from "./uplot.js" */

import { call, download, fetchBlob, problemOf } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { named } from "../lib/named.js";
import { Refresher } from "../lib/refresher.js";
import { sentence } from "../lib/status.js";
import { amount, percent, span } from "../lib/times.js";
import { BucketChart } from "./charts.js";
import { countsTable } from "./table.js";
import { lineTile, tile, zoneTile } from "./tiles.js";
import { loadUPlot } from "./uplot.js";

const PATH = "/api/v1/streams/{stream}/counts";
const REFRESH_MS = 5000;

export class Counts {
  #id;
  #period;
  /** @type {Pick<Geometry, "lines" | "zones"> & { version?: number }} */
  #geometry = { lines: [], zones: [] };
  /** @type {{ lines: NamedLine[], zones: NamedZone[] }} */
  #named = { lines: [], zones: [] };
  /** @type {CountsReport | null} */
  #report = null;
  /** @type {BucketChart[]} */
  #charts = [];
  #shape = "";
  #totals = el("div", { class: "totals" });
  #plots = el("div", { class: "charts" });
  #key = el(
    "p",
    { class: "hint coverage-key" },
    el("span", null, el("i", { class: "swatch seen" }), "seen"),
    el("span", null, el("i", { class: "swatch unseen-area" }), "not seen: a gap, not a zero"),
  );
  #rows = el("div", { class: "table-box" });
  #table = el(
    "details",
    { class: "more", ontoggle: () => this.#showTable() },
    el("summary", null, "Show as a table"),
    this.#rows,
  );
  #message = el("p", { class: "message", role: "alert", hidden: true });
  #window = el("p", { class: "muted" });
  element = el(
    "section",
    { class: "counts", "aria-labelledby": "counts-heading", "aria-busy": "true" },
    el(
      "div",
      { class: "section-head" },
      el("div", null, el("h2", { id: "counts-heading" }, "Counts"), this.#window),
      el(
        "div",
        { class: "actions" },
        el("button", { type: "button", class: "button quiet", onclick: () => this.#download("csv") }, "Download CSV"),
        el("button", { type: "button", class: "button quiet", onclick: () => this.#download("parquet") }, "Parquet"),
      ),
    ),
    this.#message,
    this.#totals,
    this.#plots,
    this.#key,
    this.#table,
  );

  /**
   * @param {string} id
   * @param {Period} period
   */
  constructor(id, period) {
    this.#id = id;
    this.#period = period;
    this.#key.hidden = true;
    this.#table.hidden = true;
    this.refresher = new Refresher(
      (signal) => this.#load(signal),
      () => (this.#period.live ? REFRESH_MS : null),
    );
  }

  destroy() {
    this.refresher.destroy();
    this.#dropCharts();
  }

  /**
   * Names come from what is drawn now.
   *
   * @param {Geometry} geometry
   */
  useGeometry(geometry) {
    if (this.#geometry.version === geometry.version) return;
    this.#geometry = geometry;
    if (this.#report) this.#show(this.#report);
  }

  /** @param {AbortSignal} signal */
  async #load(signal) {
    try {
      this.#report = await call("get", PATH, { path: { stream: this.#id }, query: this.#query("json"), signal });
      this.#message.hidden = true;
      await this.#show(this.#report);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#fail(error);
    }
    this.element.setAttribute("aria-busy", "false");
  }

  /** @param {"csv" | "parquet"} format */
  async #download(format) {
    const query = this.#query(format);
    try {
      const blob = await fetchBlob(PATH, { path: { stream: this.#id }, query });
      download(blob, `${this.#id}-${query.bucket}.${format}`);
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * @template {"json" | "csv" | "parquet"} Format
   * @param {Format} format
   */
  #query(format) {
    return { ...this.#period.query(), format };
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#message.hidden = false;
    setText(this.#message, sentence(problemOf(error).message));
  }

  // -- what there is to show

  /** @param {CountsReport} report */
  async #show(report) {
    this.#named = named(this.#geometry, report.total);
    const [from, to] = [Date.parse(report.start), Date.parse(report.end)];
    setText(this.#window, `${span(from, to, this.#period.zone)}, ${percent(report.total.coverage)} of it seen`);
    this.#showTotals(report.total);
    this.#showTable();
    this.#table.hidden = report.buckets.length === 0;
    const UPlot = await loadUPlot();
    if (report !== this.#report) return;
    if (UPlot) this.#showCharts(UPlot, report);
    else this.#explainMissing();
  }

  /** @param {CountsReport["total"]} total */
  #showTotals(total) {
    const tiles = [
      ...this.#named.lines.map((line) => lineTile(line, total.lines[line.id])),
      ...this.#named.zones.map((zone) => zoneTile(zone, total.zones[zone.id])),
      tile(
        "People in the picture",
        amount(total.people.mean),
        "on average",
        [["at most", amount(total.coverage ? total.people.peak : null)]],
        "people",
      ),
    ];
    this.#totals.replaceChildren(...tiles);
  }

  /**
   * @param {UPlot} UPlot
   * @param {CountsReport} report
   */
  #showCharts(UPlot, report) {
    const shape = JSON.stringify([this.#named, this.#period.zone]);
    if (shape !== this.#shape || !this.#charts.length) {
      this.#shape = shape;
      this.#dropCharts();
      this.#charts = this.#specs().map((spec) => new BucketChart(UPlot, spec));
      this.#plots.replaceChildren(...this.#charts.map((chart) => chart.element));
    }
    this.#key.hidden = false;
    for (const chart of this.#charts) chart.show(report);
  }

  #specs() {
    const common = { zone: this.#period.zone, sync: `counts-${this.#id}` };
    const lines = this.#named.lines.map((line) => ({
      ...common,
      heading: `${line.label}: crossings`,
      series: [
        series(line.in_name || "in", "--in", "up", (bucket) => bucket.lines[line.id]?.in),
        series(line.out_name || "out", "--out", "down", (bucket) => bucket.lines[line.id]?.out),
      ],
    }));
    const zones = this.#named.zones.map((zone) => ({
      ...common,
      heading: `${zone.label}: people in the zone`,
      series: [
        series("on average", "--zone", "area", (bucket) => bucket.zones[zone.id]?.mean),
        series("at most", "--zone", "line", (bucket) => bucket.zones[zone.id]?.peak),
      ],
    }));
    const people = {
      ...common,
      heading: "People in the picture",
      series: [
        series("on average", "--people", "area", (bucket) => bucket.people.mean),
        series("at most", "--people", "line", (bucket) => bucket.people.peak),
      ],
    };
    return [...lines, ...zones, people];
  }

  #dropCharts() {
    for (const chart of this.#charts) chart.destroy();
    this.#charts = [];
  }

  #explainMissing() {
    if (this.#plots.firstChild) return;
    this.#plots.append(
      el(
        "p",
        { class: "message", id: "no-charts" },
        "The charts cannot be drawn: their library is not installed. Run “npm ci” and “npm run vendor” in serve/web. " +
          "Totals, table and files are complete without it.",
      ),
    );
  }

  // -- table

  #showTable() {
    if (!this.#table.open || !this.#report) return;
    const { lines, zones } = this.#named;
    this.#rows.replaceChildren(...countsTable(this.#report, lines, zones, this.#period.zone));
  }
}

/**
 * @param {string} label
 * @param {string} colour
 * @param {Series["kind"]} kind
 * @param {(bucket: Bucket) => number | null | undefined} value
 * @returns {Series}
 */
function series(label, colour, kind, value) {
  return { label, colour, kind, value, text: amount };
}
