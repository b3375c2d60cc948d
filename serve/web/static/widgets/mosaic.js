/** A square for each camera, by site: a thousand of them without a scroll bar each. */

/** @import { Cell } from "../lib/health.js" */

import { el, setText } from "../lib/dom.js";
import { CONDITIONS } from "../lib/health.js";

export class Mosaic {
  element = el("div", { class: "mosaic" });
  #read = el("p", { class: "mosaic-read muted" });
  #sites = el("div", { class: "mosaic-sites" });
  /** @type {Map<string, { section: HTMLElement, heading: HTMLElement, cells: HTMLElement }>} */
  #groups = new Map();
  /** @type {Map<string, HTMLAnchorElement>} */
  #cells = new Map();

  constructor() {
    this.element.append(this.#sites, this.#read);
    for (const kind of /** @type {const} */ (["pointerover", "focusin"]))
      this.#sites.addEventListener(kind, (event) => {
        const cell = /** @type {Element} */ (event.target).closest(".cell");
        if (cell) setText(this.#read, cell.getAttribute("aria-label") ?? "");
      });
    this.#sites.addEventListener("pointerleave", () => setText(this.#read, ""));
  }

  /** @param {[string, Cell[]][]} fleet */
  update(fleet) {
    const sites = new Set(fleet.map(([site]) => site));
    const here = new Set(fleet.flatMap(([, cells]) => cells.map((cell) => cell.id)));
    for (const [site, group] of this.#groups)
      if (!sites.has(site)) {
        group.section.remove();
        this.#groups.delete(site);
      }
    for (const [id, cell] of this.#cells)
      if (!here.has(id)) {
        cell.remove();
        this.#cells.delete(id);
      }
    fleet.forEach(([site, cells], place) => {
      const group = this.#group(site);
      if (this.#sites.children[place] !== group.section)
        this.#sites.insertBefore(group.section, this.#sites.children[place] ?? null);
      setText(group.heading, `${site || "Without a site"} (${cells.length})`);
      group.heading.hidden = fleet.length === 1 && !site;
      cells.forEach((cell, index) => this.#put(group.cells, cell, index));
    });
  }

  /** @param {string} site */
  #group(site) {
    let group = this.#groups.get(site);
    if (!group) {
      const heading = el("h3");
      const cells = el("div", { class: "mosaic-cells" });
      this.#groups.set(site, (group = { section: el("section", null, heading, cells), heading, cells }));
    }
    return group;
  }

  /**
   * @param {HTMLElement} host
   * @param {Cell} cell
   * @param {number} place
   */
  #put(host, cell, place) {
    let node = this.#cells.get(cell.id);
    if (!node) {
      node = el("a", { class: "cell", href: `#/cameras/${encodeURIComponent(cell.id)}/health` });
      this.#cells.set(cell.id, node);
    }
    if (host.children[place] !== node) host.insertBefore(node, host.children[place] ?? null);
    if (node.dataset.condition !== cell.condition) node.dataset.condition = cell.condition;
    const label = `${cell.title}: ${CONDITIONS[cell.condition].toLowerCase()}. ${cell.words}`;
    if (node.getAttribute("aria-label") !== label) node.setAttribute("aria-label", label);
  }
}
