/** Buckets over time, drawn by uPlot: what was not seen is hatched, never a zero. */

/** @import { Bucket, CountsReport } from "../../types/documents.js" */
/** @import { Timeline } from "../lib/timeline.js" */
/** @import { UPlot } from "./uplot.js" */
/** @typedef {InstanceType<UPlot>} Plot */

import { el, setText } from "../lib/dom.js";
import { amountRange, inTime } from "../lib/timeline.js";
import { clock, day, isoDay, span } from "../lib/times.js";

const HEIGHT_PX = 190;
const STRIP_PX = 5;
const DAY_S = 86_400;
/** @param {string} name of a CSS variable */
function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * @typedef {object} Series
 * @property {string} label
 * @property {string} colour name of a CSS variable
 * @property {"up" | "down" | "area" | "line"} kind up or down for amounts, area or line for levels
 * @property {(bucket: Bucket) => number | null | undefined} value
 * @property {(value: number | null | undefined) => string} text
 */

/** One chart. */
export class BucketChart {
  #UPlot;
  #series;
  #zone;
  #sync;
  /** @type {Plot | null} */
  #plot = null;
  /** @type {Timeline} */
  #data = { start: 0, end: 0, starts: [], ends: [], buckets: [], gaps: [] };
  #readout = el("p", { class: "chart-readout", "aria-hidden": "true" });
  #host = el("div", { class: "chart-plot" });
  /** @type {CanvasPattern | null} */
  #hatch = null;

  /**
   * @param {UPlot} UPlot
   * @param {{ heading: string, series: Series[], zone: string, sync: string }} spec ``sync``: charts that share a cursor
   */
  constructor(UPlot, { heading, series, zone, sync }) {
    this.#UPlot = UPlot;
    this.#series = series;
    this.#zone = zone;
    this.#sync = sync;
    this.element = el(
      "figure",
      { class: "chart" },
      el("figcaption", null, el("h3", null, heading), this.#key(), this.#readout),
      this.#host,
    );
    this.sizes = new ResizeObserver(() => this.#fit());
    this.sizes.observe(this.#host);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.#repaint);
  }

  #repaint = () => {
    this.#plot?.destroy();
    this.#plot = null;
    this.#hatch = null;
    this.#paint();
  };

  destroy() {
    this.sizes.disconnect();
    this.dark.removeEventListener("change", this.#repaint);
    this.#plot?.destroy();
  }

  /** @param {CountsReport} report */
  show(report) {
    this.#data = inTime(report);
    this.#paint();
    this.#tell();
  }

  #key() {
    return el(
      "ul",
      { class: "chart-key" },
      this.#series.map(({ label, colour, kind }) => {
        const swatch = el("i", { class: `swatch ${kind}` });
        swatch.style.setProperty("--swatch", `var(${colour})`);
        return el("li", null, swatch, label);
      }),
    );
  }

  #fit() {
    const width = this.#host.clientWidth;
    if (!width) return;
    if (this.#plot) this.#plot.setSize({ width, height: HEIGHT_PX });
    else this.#paint();
  }

  #paint() {
    const width = this.#host.clientWidth;
    const data = this.#data;
    if (data.end <= data.start || !width) return;
    /** @type {import("uplot").AlignedData} */
    const columns = [
      data.starts,
      ...this.#series.map(({ value, kind }) =>
        data.buckets.map((bucket) => {
          const amount = bucket ? value(bucket) : null;
          return amount === null || amount === undefined ? null : kind === "down" ? -amount : amount;
        }),
      ),
    ];
    if (this.#plot) this.#plot.setData(columns);
    else this.#plot = new this.#UPlot(this.#options(width), columns, this.#host);
  }

  /**
   * @param {number} width
   * @returns {import("uplot").Options}
   */
  #options(width) {
    const ink = themed("--muted");
    const grid = { stroke: themed("--grid"), width: 1 };
    const font = "12px Inter, system-ui, sans-serif";
    return {
      width,
      height: HEIGHT_PX,
      padding: [6, 8, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { show: false },
        sync: { key: this.#sync, setSeries: false, scales: ["x", null] },
      },
      tzDate: (seconds) => this.#UPlot.tzDate(new Date(seconds * 1000), this.#zone),
      scales: {
        x: { time: true, range: () => [this.#data.start, this.#data.end] },
        y: { range: (_, low, high) => amountRange(low, high) },
      },
      axes: [
        {
          stroke: ink,
          font,
          grid: { show: false },
          ticks: { stroke: grid.stroke, width: 1, size: 5 },
          space: 64,
          size: 28,
          gap: 4,
          values: (_, marks) => this.#marks(marks),
        },
        {
          stroke: ink,
          font,
          grid,
          ticks: { show: false },
          size: 38,
          space: 32,
          incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000],
          values: (_, marks) => marks.map((mark) => Math.abs(mark).toLocaleString("en-GB")),
        },
      ],
      series: [{}, ...this.#series.map((one) => this.#style(one))],
      hooks: {
        drawClear: [(plot) => this.#drawGaps(plot)],
        draw: [(plot) => this.#drawZero(plot)],
        setCursor: [() => this.#tell()],
      },
    };
  }

  /**
   * @param {Series} series
   * @returns {import("uplot").Series}
   */
  #style({ colour, kind }) {
    const tone = themed(colour);
    const filled = kind !== "line";
    return {
      stroke: tone,
      width: kind === "line" ? 1.5 : 1,
      dash: kind === "line" ? [3, 3] : undefined,
      fill: filled ? `color-mix(in srgb, ${tone} ${kind === "area" ? 28 : 82}%, transparent)` : undefined,
      points: { show: false },
      paths: (plot, series) => (filled ? this.#bars(plot, series, kind) : this.#steps(plot, series)),
    };
  }

  /**
   * The left and right edge of a bucket, canvas pixels.
   *
   * @param {Plot} plot
   * @param {number} index
   */
  #edges(plot, index) {
    const left = plot.valToPos(Math.max(this.#data.starts[index], this.#data.start), "x", true);
    const right = plot.valToPos(Math.min(this.#data.ends[index], this.#data.end), "x", true);
    return [Math.round(left), Math.max(Math.round(right), Math.round(left) + 1)];
  }

  /**
   * @param {Plot} plot
   * @param {number} series its place among the columns
   * @param {Series["kind"]} kind
   */
  #bars(plot, series, kind) {
    const fill = new Path2D();
    const stroke = new Path2D();
    const zero = Math.round(plot.valToPos(0, "y", true));
    plot.data[series].forEach((value, index) => {
      if (!value) return;
      const [left, right] = this.#edges(plot, index);
      const gap = kind !== "area" && right - left > 4 ? 1 : 0;
      const top = Math.round(plot.valToPos(value, "y", true));
      fill.rect(left + gap, Math.min(top, zero), right - left - 2 * gap, Math.abs(zero - top));
      stroke.moveTo(left + gap, top);
      stroke.lineTo(right - gap, top);
    });
    return { fill, stroke };
  }

  /**
   * @param {Plot} plot
   * @param {number} series its place among the columns
   */
  #steps(plot, series) {
    const stroke = new Path2D();
    /** @type {number | null} */
    let before = null;
    plot.data[series].forEach((value, index) => {
      if (value === null || value === undefined) {
        before = null;
        return;
      }
      const [left, right] = this.#edges(plot, index);
      const y = plot.valToPos(value, "y", true);
      if (before === left) stroke.lineTo(left, y);
      else stroke.moveTo(left, y);
      stroke.lineTo(right, y);
      before = right;
    });
    return { stroke };
  }

  /**
   * Behind everything: hatching where nothing was seen; below, the share of each bucket that was.
   *
   * @param {Plot} plot
   */
  #drawGaps(plot) {
    const { ctx, bbox } = plot;
    const strip = STRIP_PX * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    this.#hatch ??= hatch(ctx, themed("--hatch"));
    if (this.#hatch) ctx.fillStyle = this.#hatch;
    for (const [start, end] of this.#data.gaps) {
      const left = plot.valToPos(start, "x", true);
      ctx.fillRect(left, bbox.top, plot.valToPos(end, "x", true) - left, bbox.height);
    }
    ctx.fillStyle = themed("--seen");
    this.#data.buckets.forEach((bucket, index) => {
      if (!bucket) return;
      const [left, right] = this.#edges(plot, index);
      const high = Math.max(strip * bucket.coverage, 1);
      ctx.fillRect(left, bbox.top + bbox.height - high, right - left, high);
    });
    ctx.restore();
  }

  /** @param {Plot} plot */
  #drawZero(plot) {
    const { ctx, bbox } = plot;
    const y = Math.round(plot.valToPos(0, "y", true)) + 0.5;
    if (y >= bbox.top + bbox.height - 1) return;
    ctx.save();
    ctx.strokeStyle = themed("--muted");
    ctx.globalAlpha = 0.5;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }

  /** @param {number[]} marks */
  #marks(marks) {
    const step = marks.length > 1 ? marks[1] - marks[0] : DAY_S;
    /** @type {string | null} */
    let before = null;
    return marks.map((mark) => {
      const today = isoDay(mark * 1000, this.#zone);
      const text = step >= DAY_S * 0.9 ? day(mark * 1000, this.#zone) : clock(mark * 1000, this.#zone);
      const fresh = before !== null && today !== before && step < DAY_S * 0.9;
      before = today;
      return fresh ? day(mark * 1000, this.#zone) : text;
    });
  }

  /** The bucket under the pointer, in words. */
  #tell() {
    if (!this.#plot) return;
    const { left, idx } = this.#plot.cursor;
    if (left === undefined || left < 0 || idx === null) {
      setText(this.#readout, "");
      return;
    }
    const at = this.#plot.posToVal(left, "x");
    const index = this.#data.starts.findIndex((start, i) => start <= at && at < this.#data.ends[i]);
    const bucket = index >= 0 ? this.#data.buckets[index] : null;
    if (!bucket) {
      setText(this.#readout, `${span(at * 1000, at * 1000, this.#zone).split(" – ")[0]}: not seen`);
      return;
    }
    const values = this.#series.map(({ label, value, text }) => `${label} ${text(value(bucket))}`);
    const when = span(this.#data.starts[index] * 1000, this.#data.ends[index] * 1000, this.#zone);
    const closely = bucket.analysed_fps === null ? "" : `, ${bucket.analysed_fps.toFixed(1)} frames a second`;
    setText(this.#readout, `${when}: ${values.join(", ")}, ${Math.round(bucket.coverage * 100)} % seen${closely}`);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} colour
 */
function hatch(context, colour) {
  const size = Math.round(8 * devicePixelRatio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  if (!pen) return null;
  pen.strokeStyle = colour;
  pen.lineWidth = devicePixelRatio;
  pen.beginPath();
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, size);
    pen.lineTo(shift + size, 0);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
