/** Counts of one camera over a window: totals, charts, a table, files. */

import { call, download, streamPath } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { Refresher } from "../lib/refresher.js";
import { sentence } from "../lib/status.js";
import { amount, percent, span } from "../lib/times.js";
import { BucketChart } from "./charts.js";
import { countsTable } from "./table.js";
import { lineTile, tile, zoneTile } from "./tiles.js";
import { loadUPlot } from "./uplot.js";

const REFRESH_MS = 5000;

export class Counts {
  #id;
  #period;
  #geometry = { lines: [], zones: [] };
  #report = null;
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

  /** Names come from what is drawn now. */
  useGeometry(geometry) {
    if (this.#geometry.version === geometry.version) return;
    this.#geometry = geometry;
    if (this.#report) this.#show();
  }

  async #load(signal) {
    try {
      this.#report = await call("GET", streamPath(this.#id, "/counts"), { query: this.#period.query(), signal });
      this.#message.hidden = true;
      await this.#show();
    } catch (problem) {
      if (signal.aborted) throw problem;
      this.#message.hidden = false;
      setText(this.#message, sentence(problem.message));
    }
    this.element.setAttribute("aria-busy", "false");
  }

  async #download(format) {
    const query = { ...this.#period.query(), format };
    try {
      await download(streamPath(this.#id, "/counts"), query, `${this.#id}-${query.bucket}.${format}`);
    } catch (problem) {
      this.#message.hidden = false;
      setText(this.#message, sentence(problem.message));
    }
  }

  // -- what there is to show

  /** Lines and zones that are drawn, and those of the past that still have numbers in this window. */
  #named(kind) {
    const drawn = this.#geometry[kind] ?? [];
    const known = new Set(drawn.map((item) => item.id));
    const past = Object.keys(this.#report.total[kind]).filter((id) => !known.has(id));
    return [
      ...drawn.map((item) => ({ ...item, label: item.name || item.id })),
      ...past.map((id) => ({ id, label: `${id} (not drawn any more)`, in_name: "in", out_name: "out" })),
    ];
  }

  async #show() {
    const report = this.#report;
    const [from, to] = [Date.parse(report.start), Date.parse(report.end)];
    setText(this.#window, `${span(from, to, this.#period.zone)}, ${percent(report.total.coverage)} of it seen`);
    this.#showTotals();
    this.#showTable();
    this.#table.hidden = report.buckets.length === 0;
    const UPlot = await loadUPlot();
    if (report !== this.#report) return;
    if (UPlot) this.#showCharts(UPlot);
    else this.#explainMissing();
  }

  #showTotals() {
    const { total } = this.#report;
    const tiles = [
      ...this.#named("lines").map((line) => lineTile(line, total.lines[line.id])),
      ...this.#named("zones").map((zone) => zoneTile(zone, total.zones[zone.id])),
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

  #showCharts(UPlot) {
    const shape = JSON.stringify([this.#named("lines"), this.#named("zones"), this.#period.zone]);
    if (shape !== this.#shape || !this.#charts.length) {
      this.#shape = shape;
      this.#dropCharts();
      this.#charts = this.#specs().map((spec) => new BucketChart(UPlot, spec));
      this.#plots.replaceChildren(...this.#charts.map((chart) => chart.element));
    }
    this.#key.hidden = false;
    for (const chart of this.#charts) chart.show(this.#report);
  }

  #specs() {
    const common = { zone: this.#period.zone, sync: `counts-${this.#id}` };
    const lines = this.#named("lines").map((line) => ({
      ...common,
      heading: `${line.label}: crossings`,
      series: [
        series(line.in_name || "in", "--in", "up", (bucket) => bucket.lines[line.id]?.in),
        series(line.out_name || "out", "--out", "down", (bucket) => bucket.lines[line.id]?.out),
      ],
    }));
    const zones = this.#named("zones").map((zone) => ({
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
    const lines = this.#named("lines");
    const zones = this.#named("zones");
    this.#rows.replaceChildren(...countsTable(this.#report, lines, zones, this.#period.zone));
  }
}

function series(label, colour, kind, value) {
  return { label, colour, kind, value, text: amount };
}
