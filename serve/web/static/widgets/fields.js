/** Controls of forms: labelled fields, selects, choices. */

import { el, freshId, setText } from "../lib/dom.js";

/** A label above its control, with room for a hint and for what is wrong. */
export function field(label, control, { hint = null, name = null } = {}) {
  control.id ||= freshId("field");
  const error = el("p", { class: "field-error", id: `${control.id}-error`, hidden: true });
  const hintNode = hint && el("p", { class: "hint", id: `${control.id}-hint` }, hint);
  control.setAttribute("aria-describedby", [hintNode && hintNode.id, error.id].filter(Boolean).join(" "));
  const box = el(
    "div",
    { class: "field", dataset: name ? { field: name } : {} },
    el("label", { for: control.id }, label),
    control,
    hintNode,
    error,
  );
  return box;
}

export function setFieldError(box, message) {
  const error = box.querySelector(".field-error");
  const control = box.querySelector("input, select, textarea");
  setText(error, message ?? "");
  error.hidden = !message;
  if (message) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}

export function select(options, value, props) {
  return el(
    "select",
    props,
    options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)),
  );
}

/** A fieldset of radio buttons that looks like one control. */
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
