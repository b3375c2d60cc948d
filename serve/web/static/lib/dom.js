/** Elements from data. Data only ever becomes text or an attribute; nothing here parses HTML. */

/** @import { Children, Props, SvgProps } from "../../types/elements.js" */

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "open", "selected"]);

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Props<HTMLElementTagNameMap[Tag]> | null} [props]
 * @param {Children} children
 */
export function el(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {SvgProps<SVGElementTagNameMap[Tag]> | null} [props]
 * @param {Children} children
 */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/**
 * @template {HTMLElement | SVGElement} Target
 * @param {Target} node
 * @param {object | null | undefined} props
 * @param {Children} children
 */
function fill(node, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (PROPERTIES.has(key)) Object.assign(node, { [key]: value });
    else if (key === "dataset") Object.assign(node.dataset, value);
    else if (value !== null && value !== undefined && value !== false)
      node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) node.append(child);
  return node;
}

/**
 * Touches the page only if the text is another one: screen readers and layouts stay calm.
 *
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * The element of the page's frame with this id.
 *
 * @param {string} id
 */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no #${id}`);
  return node;
}

/**
 * What a search finds, as elements that can be focused.
 *
 * @param {ParentNode} root
 * @param {string} selector
 */
export function first(root, selector) {
  return /** @type {HTMLElement | null} */ (root.querySelector(selector));
}

/** @param {string} text */
export function announce(text) {
  setText(byId("announcer"), text);
}

let made = 0;

/**
 * An id for a label and its field.
 *
 * @param {string} prefix
 */
export function freshId(prefix) {
  made += 1;
  return `${prefix}-${made}`;
}
