/** Names and numbers of one line or zone, beside the drawing. */

/** @import { LineShape, Shape, ZoneShape } from "../../types/documents.js" */

import { el, setText } from "../lib/dom.js";
import { limitOf, withLimit } from "../lib/limits.js";
import { nameOf } from "../lib/shapes.js";
import { field, setFieldError } from "./fields.js";

/** @import { Limit } from "../lib/limits.js" */
/** @typedef {Partial<Pick<LineShape, "name" | "in_name" | "out_name">>} LineChange */
/** @typedef {LineChange | Partial<Pick<ZoneShape, "dwell_min_s" | "limits">>} Change */

/**
 * @typedef {object} PanelEvents
 * @property {(change: Change) => void} edited
 * @property {() => void} settled what was typed is complete
 * @property {() => void} selected
 * @property {() => void} turned
 * @property {() => void} removed
 */

/** @type {[Limit, string, string][]} */
const LIMITS = [
  ["queue", "People who stay, from", "10000"],
  ["occupancy", "People inside, from", "10000"],
  ["dwell_s", "A stay longer than (seconds)", "86400"],
];

export class ShapePanel {
  #events;
  /** @type {Map<Limit, HTMLInputElement>} */
  #limits = new Map();
  /** @type {ZoneShape["limits"]} */
  #known = null;
  #told = el("details", { class: "limits" }, el("summary", null, "Tell as an event"));
  #name;
  #inward;
  #outward;
  #dwell;
  #id = el("span", { class: "muted" });
  #remove;
  element;

  /**
   * @param {Shape["kind"]} kind
   * @param {PanelEvents} events
   */
  constructor(kind, events) {
    this.#events = events;
    this.#name = this.#text((name) => ({ name }));
    this.#inward = this.#text((in_name) => ({ in_name }));
    this.#outward = this.#text((out_name) => ({ out_name }));
    this.#dwell = this.#seconds();
    const dwellBox = field("A stay counts after (seconds)", this.#dwell);
    this.#dwell.addEventListener("input", () => this.#editDwell(dwellBox));
    for (const [part, label, max] of LIMITS) this.#told.append(this.#limit(part, label, max));
    const directions = [field("With the arrow", this.#inward), field("Against it", this.#outward)];
    const turn = el(
      "button",
      { type: "button", class: "button quiet", onclick: () => events.turned() },
      "Turn the arrow",
    );
    this.#remove = el(
      "button",
      { type: "button", class: "button quiet danger-text", onclick: () => events.removed() },
      "Delete",
    );
    const word = kind === "line" ? "Line" : "Zone";
    this.element = el(
      "li",
      { class: "shape-panel", dataset: { kind }, onclick: () => events.selected() },
      el("div", { class: "shape-head" }, el("span", { class: "shape-kind" }, word), this.#id),
      field("Name", this.#name),
      kind === "line" ? el("div", { class: "pair" }, directions) : dwellBox,
      kind === "zone" && this.#told,
      el("div", { class: "actions" }, kind === "line" && turn, this.#remove),
    );
  }

  focusName() {
    this.#name.focus({ preventScroll: true });
    this.#name.select();
  }

  /**
   * @param {Shape} shape
   * @param {boolean} active
   */
  update(shape, active) {
    this.element.classList.toggle("active", active);
    setText(this.#id, shape.id ? `in reports: ${shape.id}` : "new");
    this.#remove.setAttribute("aria-label", `Delete ${nameOf(shape)}`);
    show(this.#name, shape.name);
    if (shape.kind === "line") {
      show(this.#inward, shape.in_name);
      show(this.#outward, shape.out_name);
    } else {
      show(this.#dwell, String(shape.dwell_min_s));
      this.#known = shape.limits;
      for (const [part, input] of this.#limits) show(input, String(limitOf(shape.limits, part) ?? ""));
    }
  }

  /** @param {(text: string) => Change} change */
  #text(change) {
    return el("input", {
      maxlength: "200",
      onfocus: () => this.#events.selected(),
      oninput: (event) => this.#events.edited(change(event.currentTarget.value)),
      onchange: () => this.#events.settled(),
    });
  }

  /**
   * A number that may be left out.
   *
   * @param {Limit} part
   * @param {string} label
   * @param {string} max
   */
  #limit(part, label, max) {
    const input = el("input", {
      type: "number",
      min: "1",
      max,
      step: "1",
      placeholder: "never",
      onchange: () => this.#events.settled(),
    });
    const box = field(label, input);
    input.addEventListener("input", () => {
      const valid = input.checkValidity();
      setFieldError(box, valid ? null : `A whole number from 1 to ${max}, or nothing.`);
      if (!valid) return;
      const number = input.value === "" ? null : input.valueAsNumber;
      this.#events.edited({ limits: withLimit(this.#known, part, number) });
    });
    this.#limits.set(part, input);
    return box;
  }

  #seconds() {
    return el("input", {
      type: "number",
      min: "0",
      max: "3600",
      step: "0.5",
      required: true,
      onchange: () => this.#events.settled(),
    });
  }

  /** @param {HTMLElement} box */
  #editDwell(box) {
    const valid = this.#dwell.checkValidity();
    setFieldError(box, valid ? null : "0 to 3600 seconds, in steps of half a second.");
    if (valid) this.#events.edited({ dwell_min_s: this.#dwell.valueAsNumber });
  }
}

/**
 * The field that is being typed in keeps what was typed.
 *
 * @param {HTMLInputElement} input
 * @param {string} value
 */
function show(input, value) {
  if (input.value !== value && (input !== document.activeElement || input.type !== "number")) input.value = value;
}
