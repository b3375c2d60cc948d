/** Controls of forms: labelled fields, selects, choices. */

/** @import { Props } from "../../types/elements.js" */

import { el, first, freshId, setText } from "../lib/dom.js";
import { slug } from "../lib/names.js";

/**
 * A label above its control, with room for a hint and for what is wrong.
 *
 * @param {string} label
 * @param {HTMLInputElement | HTMLSelectElement} control
 * @param {{ hint?: string | null, name?: string | null }} more ``name`` is how the API calls it
 */
export function field(label, control, { hint = null, name = null } = {}) {
  const notes = notesOf(control, hint);
  return el(
    "div",
    { class: "field", dataset: name ? { field: name } : {} },
    el("label", { for: control.id }, label),
    control,
    notes,
  );
}

/**
 * A box to tick, with its label beside it.
 *
 * @param {string} label
 * @param {HTMLInputElement} control
 * @param {{ hint?: string | null, name?: string | null }} more
 */
export function tick(label, control, { hint = null, name = null } = {}) {
  const notes = notesOf(control, hint);
  const row = el("label", { class: "check" }, control, el("span", null, label));
  return el("div", { class: "field", dataset: name ? { field: name } : {} }, row, notes);
}

/**
 * The hint of a control, and where its mistakes are told; both are read out with it.
 *
 * @param {HTMLInputElement | HTMLSelectElement} control
 * @param {string | null} hint
 */
function notesOf(control, hint) {
  control.id ||= freshId("field");
  const error = el("p", { class: "field-error", id: `${control.id}-error`, hidden: true });
  const hintNode = hint ? el("p", { class: "hint", id: `${control.id}-hint` }, hint) : null;
  control.setAttribute("aria-describedby", [hintNode?.id, error.id].filter(Boolean).join(" "));
  return [hintNode, error];
}

/**
 * @param {Element} box that `field` or `tick` has made
 * @param {string | null} message
 */
export function setFieldError(box, message) {
  const error = first(box, ".field-error");
  const control = first(box, "input, select");
  if (!error || !control) return;
  setText(error, message ?? "");
  error.hidden = !message;
  if (message) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}

/**
 * @param {[string, string][]} options value and text
 * @param {string} value
 * @param {Props<HTMLSelectElement> | null} [props]
 */
export function select(options, value, props) {
  return el(
    "select",
    props,
    options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)),
  );
}

/**
 * A fieldset of radio buttons that looks like one control.
 *
 * @param {string} legend
 * @param {[string, string][]} options value and text
 * @param {string} value
 * @param {(value: string) => void} onchange
 */
export function choice(legend, options, value, onchange) {
  const name = freshId("choice");
  return el(
    "fieldset",
    { class: "choice" },
    el("legend", { class: "unseen" }, legend),
    options.map(([key, text]) =>
      el(
        "label",
        null,
        el("input", { type: "radio", name, value: key, checked: key === value, onchange: () => onchange(key) }),
        el("span", null, text),
      ),
    ),
  );
}

/**
 * Boxes to tick, any number of them, under one heading.
 *
 * @param {string} legend
 * @param {[string, string][]} options value and text
 * @param {string[]} chosen
 * @param {{ hint: string, name: string }} more
 */
export function ticks(legend, options, chosen, { hint, name }) {
  const boxes = options.map(([value]) => el("input", { type: "checkbox", value, checked: chosen.includes(value) }));
  const hintId = freshId("hint");
  const element = el(
    "fieldset",
    { class: "field", dataset: { field: name }, "aria-describedby": hintId },
    el("legend", null, legend),
    el(
      "div",
      { class: "ticks" },
      options.map(([, text], i) => el("label", { class: "check" }, boxes[i], el("span", null, text))),
    ),
    el("p", { class: "hint", id: hintId }, hint),
    el("p", { class: "field-error", hidden: true }),
  );
  return { element, chosen: () => boxes.filter((box) => box.checked).map((box) => box.value) };
}

/**
 * Let an id be what follows from a name, until somebody types one.
 *
 * @param {HTMLInputElement} name
 * @param {HTMLInputElement} id
 */
export function followName(name, id) {
  let typed = false;
  name.addEventListener("input", () => {
    if (!typed) id.value = slug(name.value);
  });
  id.addEventListener("input", () => (typed = id.value !== ""));
}
