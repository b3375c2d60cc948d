/** Counts of one camera over a window: totals, charts, a table, files. */

import { call, download, streamPath } from "./api.js";
import { BucketChart, loadUPlot } from "./charts.js";
import { el, setText } from "./dom.js";
import { Refresher } from "./refresher.js";
import { sentence } from "./status.js";
import { amount, duration, percent, span } from "./times.js";

const REFRESH_MS = 5000;
const MAX_ROWS = 300;

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
    const heads = [
      "From – to",
      "Seen",
      ...lines.flatMap((line) => [
        `${line.label}: ${line.in_name || "in"}`,
        `${line.label}: ${line.out_name || "out"}`,
      ]),
      ...zones.flatMap((zone) => [`${zone.label}: on average`, `${zone.label}: at most`, `${zone.label}: entries`]),
      "People on average",
    ];
    const buckets = this.#report.buckets.slice(-MAX_ROWS).reverse();
    const cells = (bucket) => [
      percent(bucket.coverage),
      ...lines.flatMap(({ id }) => [bucket.lines[id]?.in, bucket.lines[id]?.out].map(amount)),
      ...zones.flatMap(({ id }) =>
        [bucket.zones[id]?.mean, bucket.zones[id]?.peak, bucket.zones[id]?.entries].map(amount),
      ),
      amount(bucket.people.mean),
    ];
    const left = this.#report.buckets.length - buckets.length;
    this.#rows.replaceChildren(
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
              el("th", { scope: "row" }, span(Date.parse(bucket.start), Date.parse(bucket.end), this.#period.zone)),
              cells(bucket).map((text) => el("td", null, text)),
            ),
          ),
        ),
      ),
      ...(left ? [el("p", { class: "hint" }, `${left} older buckets are in the files.`)] : []),
    );
  }
}

function series(label, colour, kind, value) {
  return { label, colour, kind, value, text: amount };
}

function tile(heading, number, unit, details, kind) {
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

function lineTile(line, total) {
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

function signed(value) {
  return value > 0 ? `+${amount(value)}` : amount(value).replace("-", "−");
}

function zoneTile(zone, total) {
  const stay = (seconds) => (seconds === null || seconds === undefined ? "–" : duration(seconds));
  const details = [
    ["at most", amount(total?.peak)],
    ["entries", amount(total?.entries)],
    ["half stay over", stay(total?.dwell_p50_s)],
    ["1 in 10 over", stay(total?.dwell_p90_s)],
  ];
  return tile(zone.label, amount(total?.mean), "on average", details, "zone");
}
