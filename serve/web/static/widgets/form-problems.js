/** What is wrong with a form, next to the fields that it is about. */

/** @import { Problem } from "../lib/api.js" */

import { el, first } from "../lib/dom.js";
import { sentence } from "../lib/status.js";
import { setFieldError } from "./fields.js";

export class FormProblems {
  #form;
  #ours;
  /** Where the rest is told; has its place in the form. */
  element = el("div", { class: "message", role: "alert", hidden: true });

  /**
   * @param {HTMLElement} form
   * @param {(path: string) => string} ours what the form calls a field that the API names
   */
  constructor(form, ours) {
    this.#form = form;
    this.#ours = ours;
  }

  clear() {
    for (const box of this.#boxes()) setFieldError(box, null);
    this.element.hidden = true;
  }

  /**
   * Show what is known to be wrong before asking; tells whether nothing is.
   *
   * @param {[string, string][]} wrong names of fields and what is wrong with them
   */
  check(wrong) {
    for (const [name, message] of wrong) this.#place(name, message);
    this.#focus();
    return wrong.length === 0;
  }

  /**
   * Show what the API says: next to the fields that it names, the rest in one place.
   *
   * @param {Problem} problem
   */
  explain(problem) {
    const left = problem.errors.filter(({ field, message }) => !this.#place(this.#ours(field), sentence(message)));
    if (left.length || !problem.errors.length) {
      const texts = problem.errors.length ? left.map((e) => `${e.field}: ${e.message}`) : [sentence(problem.message)];
      this.say(...texts.map((text) => el("p", null, text)));
    }
    this.#focus();
  }

  /** @param {Node[]} words */
  say(...words) {
    this.element.hidden = false;
    this.element.replaceChildren(...words);
  }

  #boxes() {
    return /** @type {HTMLElement[]} */ ([...this.#form.querySelectorAll("[data-field]")]);
  }

  #focus() {
    first(this.#form, "[aria-invalid]")?.focus();
  }

  /**
   * @param {string} name of a field, or of a part of it, such as the third of a list
   * @param {string} message
   */
  #place(name, message) {
    const parts = name.split(".");
    const names = parts.map((_, i) => parts.slice(0, parts.length - i).join("."));
    const found = names.map((one) => this.#boxes().find((box) => box.dataset.field === one));
    const box = found.find((one) => one !== undefined);
    if (!box) return false;
    box.closest("details")?.setAttribute("open", "");
    setFieldError(box, message);
    return true;
  }
}
