/** One sink in the list of all: what it is, how it is, and what can be done with it. */

/** @import { Child } from "../../types/elements.js" */
/** @import { Kind, SinkView } from "../../types/documents.js" */

import { call, fetchTagged } from "../lib/api.js";
import { announce, el, setText } from "../lib/dom.js";
import { deliveredText, missedText, SINK_STATES, sinkState, waitingText, wantedOf, wantedTexts } from "../lib/sinks.js";
import { sentence, title } from "../lib/status.js";
import { findStream } from "../lib/streams.js";
import { clockWithSeconds } from "../lib/times.js";
import { confirm } from "./dialogs.js";
import { Outcome } from "./outcome.js";

const SINK = "/api/v1/sinks/{sink}";
export const SINK_HEADS = ["Sink", "Where", "Events", "State", "Waiting", "Delivered", "Refused", "What to do"];

export class SinkRow {
  #id;
  #changed;
  /** @type {SinkView | null} */
  #view = null;
  /** @type {number | null} since when nobody delivers, as far as it was seen */
  #aloneSince = null;
  #name = el("strong");
  #idText = el("span", { class: "muted" });
  #kind = el("span");
  #place = el("span", { class: "muted" });
  #wanted = el("div");
  #badge = el("span", { class: "badge" });
  #error = el("p", { class: "sink-error" });
  #waiting = el("span");
  #delivered = el("span");
  #missed = el("p", { class: "sink-missed" });
  #none = el("span", null, "None");
  #letters = el("a");
  #test = el("button", { type: "button", class: "button", onclick: () => this.#sendTest() }, "Send a test");
  #change = el("a", { class: "button" }, "Change");
  #switch = el("button", { type: "button", class: "button", onclick: () => this.#turn() });
  #remove = el("button", { type: "button", class: "button danger-text", onclick: () => this.#delete() }, "Remove");
  #settings = el("p", { class: "hint" }, "It stands in the settings (events.sinks), and can only be changed there.");
  #outcome = new Outcome();

  /**
   * @param {string} id
   * @param {() => void} changed is called when the list should be asked for anew
   */
  constructor(id, changed) {
    this.#id = id;
    this.#changed = changed;
    const here = `#/sinks/${encodeURIComponent(id)}`;
    this.#change.href = `${here}/settings`;
    this.#letters.href = `${here}/dead-letters`;
    const cells = [
      [this.#name, this.#idText],
      [this.#kind, this.#place],
      [this.#wanted],
      [this.#badge, this.#error],
      [this.#waiting],
      [this.#delivered, this.#missed],
      [this.#none, this.#letters],
      [
        el("div", { class: "actions" }, this.#test, this.#change, this.#switch, this.#remove),
        this.#outcome.element,
        this.#settings,
      ],
    ];
    this.element = el(
      "tr",
      { dataset: { sink: id } },
      cells.map((children, i) => cell(i, children)),
    );
  }

  /**
   * @param {SinkView} view
   * @param {Kind[]} kinds
   */
  update(view, kinds) {
    this.#view = view;
    this.#aloneSince = view.deliverer === null && view.enabled ? (this.#aloneSince ?? performance.now()) : null;
    const state = sinkState(view, this.#aloneSince === null ? 0 : performance.now() - this.#aloneSince);
    const type = String(view.target.type);
    setText(this.#name, title(view));
    setText(this.#idText, view.name && view.name !== view.id ? view.id : "");
    setText(this.#kind, kinds.find((kind) => kind.type === type)?.title ?? type);
    setText(this.#place, view.place);
    setLines(this.#wanted, wantedTexts(view, called));
    this.#badge.dataset.state = this.element.dataset.state = state;
    setText(this.#badge, SINK_STATES[state]);
    setText(this.#error, state === "error" ? sentence(view.error) : "");
    setText(this.#waiting, waitingText(view));
    setText(this.#delivered, deliveredText(view));
    setText(this.#missed, missedText(view));
    setText(this.#letters, view.dead_letters === 1 ? "1 event" : `${view.dead_letters} events`);
    this.#letters.hidden = view.dead_letters === 0;
    this.#none.hidden = view.dead_letters > 0;
    this.#settings.hidden = !view.by_settings;
    for (const node of [this.#change, this.#switch, this.#remove]) node.hidden = view.by_settings;
    setText(this.#switch, view.enabled ? "Switch off" : "Switch on");
    for (const node of [this.#test, this.#change, this.#switch, this.#remove, this.#letters])
      node.setAttribute("aria-label", `${node.textContent}: ${title(view)}`);
  }

  #sendTest() {
    return this.#outcome.of("Sending…", async () => {
      await call("post", "/api/v1/sinks/{sink}/test", { path: { sink: this.#id } });
      return `Arrived at ${clockWithSeconds(Date.now())}.`;
    });
  }

  async #turn() {
    const enabled = !this.#view?.enabled;
    const done = await this.#outcome.of("Saving…", async () => {
      const path = { sink: this.#id };
      const { document: view, etag } = await fetchTagged(SINK, { path });
      await call("put", SINK, { path, header: { "if-match": etag ?? "*" }, body: { ...wantedOf(view), enabled } });
      return "";
    });
    if (done) this.#changed();
  }

  async #delete() {
    const view = this.#view;
    if (!view) return;
    const sure = await confirm({
      title: `Remove ${title(view)}?`,
      text:
        "Nothing is sent there any more. Events that wait for it stay in the list of events; those that it refused are " +
        "forgotten.",
      action: "Remove the sink",
      danger: true,
    });
    if (sure === null) return;
    const done = await this.#outcome.of("Removing…", async () => {
      await call("delete", SINK, { path: { sink: this.#id } });
      return "";
    });
    if (!done) return;
    announce(`${title(view)} is removed.`);
    this.#changed();
  }
}

/**
 * @param {number} column
 * @param {Child[]} children
 */
function cell(column, children) {
  const label = SINK_HEADS[column];
  const content = el("div", null, ...children);
  return column === 0
    ? el("th", { scope: "row", dataset: { label } }, content)
    : el("td", { dataset: { label } }, content);
}

/** @param {string} stream */
function called(stream) {
  const view = findStream(stream);
  return view ? title(view) : stream;
}

/**
 * @param {HTMLElement} node
 * @param {string[]} texts
 */
function setLines(node, texts) {
  while (node.childElementCount > texts.length) node.lastElementChild?.remove();
  while (node.childElementCount < texts.length) node.append(el("p"));
  texts.forEach((text, i) => setText(node.children[i], text));
}
