/** All cameras: live pictures, how they are, and which of them need somebody. */

/** @import { StreamView } from "../../types/documents.js" */
/** @import { MakeView } from "../../types/views.js" */

import { el, setText } from "../lib/dom.js";
import { title } from "../lib/status.js";
import { streams, subscribe } from "../lib/streams.js";
import { Capacity } from "../widgets/capacity.js";
import { LivePicture } from "../widgets/live.js";
import { Badge, Figures } from "../widgets/state.js";

const MANY = 7;

class Card {
  #picture;
  #badge = new Badge();
  #figures = new Figures();
  #name = el("a");
  #site = el("p", { class: "card-site" });

  /** @param {string} id */
  constructor(id) {
    this.#picture = new LivePicture(id);
    this.#name.href = `#/cameras/${encodeURIComponent(id)}`;
    this.element = el(
      "li",
      { class: "card", dataset: { stream: id } },
      this.#picture.element,
      el(
        "div",
        { class: "card-body" },
        el("div", { class: "card-head" }, el("h2", null, this.#name), this.#badge.element),
        this.#site,
        this.#figures.element,
      ),
    );
  }

  /** @param {StreamView} view */
  update(view) {
    setText(this.#name, title(view));
    setText(this.#site, [view.site, view.name && view.name !== view.id ? view.id : ""].filter(Boolean).join(" · "));
    this.element.dataset.state = view.state;
    this.#badge.update(view);
    this.#figures.update(view);
    this.#picture.update(view);
  }

  destroy() {
    this.#picture.destroy();
    this.element.remove();
  }
}

function empty() {
  return el(
    "section",
    { class: "empty", id: "empty" },
    el("img", { src: "static/icon.svg", alt: "", width: "56", height: "56" }),
    el("h1", { tabindex: "-1" }, "No camera yet"),
    el(
      "p",
      null,
      "Add a camera to see it live, to count who crosses a line, and to see where people stand. All you need is its " +
        "address; it is tried before anything is saved.",
    ),
    el(
      "div",
      { class: "actions" },
      el("a", { class: "button primary", href: "#/add" }, "Add a camera"),
      el("a", { class: "button", href: "#/add?type=simulator" }, "No camera at hand? Use a simulated one"),
    ),
  );
}

/** @type {MakeView} */
export function camerasView(host) {
  /** @type {Map<string, Card>} */
  const cards = new Map();
  const grid = el("ul", { class: "grid" });
  const search = el("input", { type: "search", placeholder: "Name, site or id", "aria-label": "Find a camera" });
  const troubled = el("input", { type: "checkbox" });
  const capacity = new Capacity();
  const none = el("p", { class: "muted", hidden: true }, "No camera matches.");
  const tools = el(
    "div",
    { class: "tools", hidden: true },
    search,
    el("label", { class: "check" }, troubled, el("span", null, "Only those with a problem")),
  );
  const page = el(
    "div",
    null,
    el(
      "div",
      { class: "view-head" },
      el("div", null, el("h1", { tabindex: "-1" }, "Cameras"), capacity.element),
      tools,
    ),
    none,
    grid,
  );
  const start = empty();
  const loading = el("p", { class: "muted", role: "status" }, "Asking the service for its cameras…");
  host.append(loading);

  /** @param {StreamView} view */
  function matches(view) {
    const words = search.value.trim().toLowerCase();
    const text = `${view.name} ${view.site} ${view.id}`.toLowerCase();
    return text.includes(words) && (!troubled.checked || !["running", "stopped"].includes(view.state));
  }

  function render() {
    const list = streams.list;
    if (!list) return;
    const wanted = list.length ? page : start;
    if (wanted.parentNode !== host) host.replaceChildren(wanted);
    tools.hidden = list.length < MANY;
    const here = new Set(list.map((view) => view.id));
    for (const [id, card] of cards)
      if (!here.has(id)) {
        card.destroy();
        cards.delete(id);
      }
    list.forEach((view, place) => {
      let card = cards.get(view.id);
      if (!card) cards.set(view.id, (card = new Card(view.id)));
      if (grid.children[place] !== card.element) grid.insertBefore(card.element, grid.children[place] ?? null);
      card.element.hidden = !matches(view);
      card.update(view);
    });
    none.hidden = list.length === 0 || list.some(matches);
  }

  search.addEventListener("input", render);
  troubled.addEventListener("change", render);
  const leave = subscribe(render);
  return {
    title: "Cameras",
    destroy() {
      leave();
      capacity.destroy();
      for (const card of cards.values()) card.destroy();
    },
  };
}
