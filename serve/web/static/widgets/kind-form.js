/** The fields of one kind of source or sink, made of its schema, and the part of the API's document that they make. */

/** @import { Kind } from "../../types/documents.js" */
/** @import { Document, FieldPlan, Typed } from "../lib/form-plan.js" */
/** @import { Props } from "../../types/elements.js" */

import { el } from "../lib/dom.js";
import { mistakeIn, planForm, rangeOf, readForm, stepOf } from "../lib/form-plan.js";
import { field, select, tick } from "./fields.js";

/** What the API shows in the place of a password. */
const HIDDEN = "***";
/** @type {Props<HTMLInputElement>} */
const PLAIN = { autocomplete: "off", autocapitalize: "none", spellcheck: "false" };

/** @template Definition what the API calls such a part */
export class KindForm {
  #part;
  #type;
  #known;
  #fields;
  /** @type {Map<string, HTMLInputElement | HTMLSelectElement>} */
  #controls = new Map();
  #first;
  element;

  /**
   * @param {"source" | "target"} part of the API's document
   * @param {Kind} kind
   * @param {Document | null} known the part as the API shows it, when it is changed
   */
  constructor(part, { type, schema }, known) {
    this.#part = part;
    this.#type = type;
    this.#known = known ?? {};
    this.#fields = planForm(schema, known);
    const [more, main] = [true, false].map((advanced) =>
      this.#fields.filter((plan) => plan.advanced === advanced).map((plan) => this.#box(plan)),
    );
    this.element = el(
      "div",
      { class: "fields" },
      main,
      more.length > 0 &&
        el("details", { class: "more" }, el("summary", null, "More settings"), el("div", { class: "fields" }, more)),
    );
    this.#first = JSON.stringify(this.#read());
  }

  get changed() {
    return JSON.stringify(this.#read()) !== this.#first;
  }

  /** Whether a part is as the API hides it: it can be saved again, but not tried. */
  get hidden() {
    return this.#fields.some((plan) => String(this.#typed(plan)).includes(HIDDEN));
  }

  /** The part as the API wants it; what this form does not show stays as it was. */
  value() {
    // The schema is the API's own: what fits it is one of its definitions.
    return /** @type {Definition} */ (/** @type {unknown} */ (this.#read()));
  }

  /**
   * What the fields are called here: the API's ``source.rtsp.url`` is our ``source.url``.
   *
   * @param {string} path
   */
  ours(path) {
    const [part, kind, ...rest] = path.split(".");
    return part === this.#part && kind === this.#type ? [part, ...rest].join(".") : path;
  }

  /**
   * Pairs of a field's name and what is wrong with it.
   *
   * @returns {[string, string][]}
   */
  mistakes() {
    return this.#fields.flatMap((plan) => {
      const mistake = mistakeIn(plan, this.#typed(plan));
      return mistake === null ? [] : [/** @type {[string, string]} */ ([this.#nameOf(plan), mistake])];
    });
  }

  /** @param {FieldPlan} plan */
  #nameOf(plan) {
    return `${this.#part}.${plan.key}`;
  }

  #read() {
    return { ...readForm(this.#fields, (plan) => this.#typed(plan), this.#known), type: this.#type };
  }

  /**
   * @param {FieldPlan} plan
   * @returns {Typed}
   */
  #typed(plan) {
    const control = this.#controls.get(plan.key);
    if (!control) return plan.initial;
    if (control.type === "checkbox" && control instanceof HTMLInputElement) return control.checked;
    // A number field hides what is no number; it must not pass for an empty one.
    return control.validity.badInput ? "?" : control.value;
  }

  /** @param {FieldPlan} plan */
  #box(plan) {
    const control = controlOf(plan);
    this.#controls.set(plan.key, control);
    const more = { hint: plan.hint, name: this.#nameOf(plan) };
    return control instanceof HTMLInputElement && plan.control === "tick"
      ? tick(plan.label, control, more)
      : field(plan.label, control, more);
  }
}

/** @param {FieldPlan} plan */
function controlOf({ control, initial, options, placeholder, needed, schema }) {
  const value = String(initial);
  switch (control) {
    case "select":
      return select(options, value);
    case "tick":
      return el("input", { type: "checkbox", checked: initial === true });
    case "number": {
      const step = stepOf(schema) ?? "any";
      return el("input", { type: "number", ...rangeOf(schema), step, required: needed !== null, placeholder, value });
    }
    default:
      return el("input", {
        ...PLAIN,
        type: control === "password" ? "password" : "text",
        inputmode: control === "address" ? "url" : null,
        maxlength: schema.maxLength ?? null,
        placeholder,
        value,
      });
  }
}
