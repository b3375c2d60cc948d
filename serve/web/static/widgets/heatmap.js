/** Where people stood in a window, over a snapshot. */

/** @import { HeatmapReport, StreamView } from "../../types/documents.js" */
/** @import { Period } from "./period.js" */
/** @typedef {HeatmapReport["measure"]} Measure */

import { call, download, fetchBlob, problemOf } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { Refresher } from "../lib/refresher.js";
import { sentence } from "../lib/status.js";
import { amount, duration, percent, span } from "../lib/times.js";
import { choice } from "./fields.js";

const PATH = "/api/v1/streams/{stream}/heatmap";
const REFRESH_MS = 15_000;

export class Heatmap {
  #id;
  #period;
  /** @type {Measure} */
  #measure = "dwell";
  /** @type {HeatmapReport | null} */
  #report = null;
  /** @type {string | null} */
  #url = null;
  #image = el("img", { alt: "", hidden: true });
  #heading = el("strong", null, "Adding up…");
  #reason = el("span");
  #notice = el("div", { class: "picture-notice" }, this.#heading, this.#reason);
  #here = el("span", { class: "picture-people", hidden: true });
  #picture = el("div", { class: "picture heat" }, this.#image, this.#notice, this.#here);
  #top = el("span", null, "–");
  #unit = el("span", { class: "legend-unit" }, "");
  #note = el("p", { class: "hint" });
  #window = el("p", { class: "muted" });
  element = el(
    "section",
    { class: "heatmap", "aria-labelledby": "heat-heading" },
    el(
      "div",
      { class: "section-head" },
      el("div", null, el("h2", { id: "heat-heading" }, "Heatmap"), this.#window),
      el(
        "div",
        { class: "actions" },
        choice(
          "Measure",
          [
            ["dwell", "Time spent"],
            ["visits", "Visits"],
          ],
          "dwell",
          (key) => this.#use(key === "visits" ? "visits" : "dwell"),
        ),
        el("button", { type: "button", class: "button quiet", onclick: () => this.#download() }, "PNG"),
      ),
    ),
    this.#picture,
    el(
      "div",
      { class: "legend" },
      el("div", { class: "legend-ramp", "aria-hidden": "true" }),
      el("div", { class: "legend-scale" }, el("span", null, "0"), this.#unit, this.#top),
      this.#note,
    ),
  );

  /**
   * @param {string} id
   * @param {Period} period
   */
  constructor(id, period) {
    this.#id = id;
    this.#period = period;
    this.#picture.addEventListener("pointermove", (event) => this.#point(event));
    this.#picture.addEventListener("pointerleave", () => (this.#here.hidden = true));
    this.refresher = new Refresher(
      (signal) => this.#load(signal),
      () => (this.#period.live ? REFRESH_MS : null),
    );
  }

  destroy() {
    this.refresher.destroy();
    if (this.#url) URL.revokeObjectURL(this.#url);
  }

  /** @param {StreamView} view */
  useSize(view) {
    if (view.width && view.height) this.#picture.style.aspectRatio = `${view.width} / ${view.height}`;
  }

  /** @param {Measure} measure */
  #use(measure) {
    this.#measure = measure;
    this.refresher.restart();
  }

  #query() {
    const { start, end, tz } = this.#period.query();
    return { start, end, tz, measure: this.#measure };
  }

  /** @param {AbortSignal} signal */
  async #load(signal) {
    const path = { stream: this.#id };
    const query = this.#query();
    try {
      const [report, png] = await Promise.all([
        call("get", PATH, { path, query: { ...query, format: "json" }, signal }),
        fetchBlob(PATH, { path, query: { ...query, format: "png", legend: false }, signal }),
      ]);
      await this.#show(report, png);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#fail(error);
    }
  }

  /**
   * @param {HeatmapReport} report
   * @param {Blob} png
   */
  async #show(report, png) {
    const url = URL.createObjectURL(png);
    const loaded = new Image();
    loaded.src = url;
    await loaded.decode(); // no flicker: the old picture stays until the new one can be drawn
    this.#image.src = url;
    this.#image.hidden = false;
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = url;
    this.#report = report;
    this.#explain(report);
  }

  /** @param {HeatmapReport} report */
  #explain({ start, end, coverage, total, unit, scale, shape }) {
    const window = span(Date.parse(start), Date.parse(end), this.#period.zone);
    setText(this.#window, `${window}, ${percent(coverage)} of it seen`);
    const amounts = `${amount(total)} ${unit} in all, at most ${amount(scale.highest)} in one cell`;
    this.#image.alt = `Heatmap, ${window}: ${amounts}.`;
    this.#picture.dataset.total = String(total);
    if (coverage === 0) this.#tell("Nothing was seen in this window", "Choose another one, or wait for the camera.");
    else if (total === 0) this.#tell("Nobody stood here in this window", "");
    else this.#notice.hidden = true;
    const cut = scale.highest > scale.top;
    setText(this.#top, scale.top > 0 ? `${amount(scale.top)}${cut ? " and more" : ""}` : "–");
    setText(this.#unit, `${unit} per cell`);
    setText(
      this.#note,
      `${shape[1]} × ${shape[0]} cells, ${this.#inAll(total, unit)}` +
        (cut
          ? `. The scale ends at the ${amount(scale.clip)}th percentile; the highest cell has ${amount(scale.highest)}.`
          : "."),
    );
  }

  /**
   * @param {number} total
   * @param {string} unit
   */
  #inAll(total, unit) {
    return unit === "person-seconds" ? `${duration(total)} of presence in all` : `${amount(total)} ${unit} in all`;
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#tell("The heatmap is not there", sentence(problemOf(error).message));
  }

  /**
   * @param {string} heading
   * @param {string} reason
   */
  #tell(heading, reason) {
    this.#notice.hidden = false;
    setText(this.#heading, heading);
    setText(this.#reason, reason);
  }

  /**
   * The amount in the cell under the pointer.
   *
   * @param {PointerEvent} event
   */
  #point(event) {
    const report = this.#report;
    if (!report) return;
    const box = this.#picture.getBoundingClientRect();
    const [rows, columns] = report.shape;
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const value = report.grid[row]?.[column];
    this.#here.hidden = value === undefined;
    if (value !== undefined) setText(this.#here, `${amount(value)} ${report.unit} here`);
  }

  async #download() {
    const path = { stream: this.#id };
    const query = this.#query();
    try {
      const png = await fetchBlob(PATH, { path, query: { ...query, format: "png" } });
      download(png, `${this.#id}-heatmap-${query.measure}.png`);
    } catch (error) {
      this.#fail(error);
    }
  }
}
