/** Elements from data. Data only ever becomes text or an attribute; nothing here parses HTML. */

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "open", "selected"]);

export function el(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (PROPERTIES.has(key)) node[key] = value;
    else if (key === "dataset") Object.assign(node.dataset, value);
    else if (value !== null && value !== undefined && value !== false)
      node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Touches the page only if the text is another one: screen readers and layouts stay calm. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function announce(text) {
  setText(document.getElementById("announcer"), text);
}

let made = 0;

/** An id for a label and its field. */
export function freshId(prefix) {
  made += 1;
  return `${prefix}-${made}`;
}

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
