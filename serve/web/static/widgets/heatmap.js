/** Where people stood in a window, over a snapshot. */

import { call, download, streamPath } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { Refresher } from "../lib/refresher.js";
import { sentence } from "../lib/status.js";
import { amount, duration, percent, span } from "../lib/times.js";
import { choice } from "./fields.js";

const REFRESH_MS = 15_000;

export class Heatmap {
  #id;
  #period;
  #measure = "dwell";
  #grid = null;
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
          (key) => this.#use(key),
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

  useSize(view) {
    if (view.width && view.height) this.#picture.style.aspectRatio = `${view.width} / ${view.height}`;
  }

  #use(measure) {
    this.#measure = measure;
    this.refresher.restart();
  }

  #query(format) {
    const { start, end, tz } = this.#period.query();
    return { start, end, tz, measure: this.#measure, format };
  }

  async #load(signal) {
    const path = streamPath(this.#id, "/heatmap");
    try {
      const [data, png] = await Promise.all([
        call("GET", path, { query: this.#query("json"), signal }),
        call("GET", path, { query: { ...this.#query("png"), legend: false }, as: "blob", signal }),
      ]);
      await this.#show(data, png);
    } catch (problem) {
      if (signal.aborted) throw problem;
      this.#tell("The heatmap is not there", sentence(problem.message));
    }
  }

  async #show(data, png) {
    const url = URL.createObjectURL(png);
    const loaded = new Image();
    loaded.src = url;
    await loaded.decode(); // no flicker: the old picture stays until the new one can be drawn
    this.#image.src = url;
    this.#image.hidden = false;
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = url;
    this.#grid = data;
    this.#explain(data);
  }

  #explain({ start, end, coverage, total, unit, scale, shape }) {
    const window = span(Date.parse(start), Date.parse(end), this.#period.zone);
    setText(this.#window, `${window}, ${percent(coverage)} of it seen`);
    const amounts = `${amount(total)} ${unit} in all, at most ${amount(scale.highest)} in one cell`;
    this.#image.alt = `Heatmap, ${window}: ${amounts}.`;
    this.#picture.dataset.total = total;
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

  #inAll(total, unit) {
    return unit === "person-seconds" ? `${duration(total)} of presence in all` : `${amount(total)} ${unit} in all`;
  }

  #tell(heading, reason) {
    this.#notice.hidden = false;
    setText(this.#heading, heading);
    setText(this.#reason, reason);
  }

  /** The amount in the cell under the pointer. */
  #point(event) {
    if (!this.#grid) return;
    const box = this.#picture.getBoundingClientRect();
    const [rows, columns] = this.#grid.shape;
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const value = this.#grid.grid[row]?.[column];
    this.#here.hidden = value === undefined;
    if (value !== undefined) setText(this.#here, `${amount(value)} ${this.#grid.unit} here`);
  }

  async #download() {
    const query = this.#query("png");
    try {
      await download(streamPath(this.#id, "/heatmap"), query, `${this.#id}-heatmap-${query.measure}.png`);
    } catch (problem) {
      this.#tell("The heatmap is not there", sentence(problem.message));
    }
  }
}
