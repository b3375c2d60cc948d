/** How one number of a camera went in the last hours. */

/** @import { Moment } from "../../types/documents.js" */

import { el, setText, svg } from "../lib/dom.js";
import { clock } from "../lib/times.js";
import { HEIGHT, pathOf, rangeOf, valuesOf, WIDTH } from "../lib/trace.js";

export class Trace {
  #spec;
  #now = el("span", { class: "trace-now" });
  #low = el("span");
  #from = el("span");
  #high = el("span");
  #path = svg("path", { class: "trace-line" });

  /**
   * @param {{ field: string, label: string, hint: string, least: number, floor?: number, text: (value: number) => string }} spec ``least``:
   *   what a change has to come to until it fills the height; ``floor``: what it is never below
   */
  constructor(spec) {
    this.#spec = spec;
    const picture = svg("svg", { class: "trace-plot", "aria-hidden": "true" }, this.#path);
    picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    picture.setAttribute("preserveAspectRatio", "none");
    this.element = el(
      "figure",
      { class: "trace", title: spec.hint },
      el("figcaption", null, el("h3", null, spec.label), this.#now),
      el(
        "div",
        { class: "trace-body" },
        picture,
        el("div", { class: "trace-scale" }, this.#high, this.#low),
        el("div", { class: "trace-time" }, this.#from, el("span", null, "now")),
      ),
    );
  }

  /**
   * @param {Moment[]} moments
   * @param {number} fromMs
   * @param {number} toMs
   */
  update(moments, fromMs, toMs) {
    const values = valuesOf(moments, this.#spec.field);
    this.element.hidden = values.length === 0;
    if (values.length === 0) return;
    const range = rangeOf(values, this.#spec.least, this.#spec.floor);
    this.#path.setAttribute("d", pathOf(values, range, fromMs, toMs));
    setText(this.#now, this.#spec.text(values[values.length - 1][1]));
    setText(this.#from, clock(fromMs));
    setText(this.#low, this.#spec.text(range.low));
    setText(this.#high, this.#spec.text(range.high));
  }
}
