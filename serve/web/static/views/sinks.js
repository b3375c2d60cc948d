/** Where events go by themselves, and how far they are there. */

/** @import { Kind, SinkView } from "../../types/documents.js" */
/** @import { MakeView } from "../../types/views.js" */

import { call, problemOf } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { sinkTypes } from "../lib/kinds.js";
import { Refresher } from "../lib/refresher.js";
import { SINK_HEADS, SinkRow } from "../widgets/sink-row.js";

const INTERVAL_MS = 2000;
const ABOUT = "Where events go by themselves, as they happen.";

function empty() {
  return el(
    "section",
    { class: "empty" },
    el("h2", null, "No sink yet"),
    el(
      "p",
      null,
      "A sink is somewhere that events go by themselves: an HTTP server, an MQTT broker, a topic of Kafka. It gets " +
        "every event, or those that you choose; while it does not answer, they wait for it.",
    ),
    el(
      "p",
      null,
      "To make one, say where it is and which events it gets. Then send it a test, and see here whether that arrives.",
    ),
    el("div", { class: "actions" }, el("a", { class: "button primary", href: "#/sinks/add" }, "Add a sink")),
  );
}

/** @type {MakeView} */
export function sinksView(host) {
  /** @type {Map<string, SinkRow>} */
  const rows = new Map();
  /** @type {Kind[]} */
  let kinds = [];
  const heading = el("h1", { tabindex: "-1" }, "Sinks");
  const state = el("p", { class: "muted", role: "status" }, "Asking the service for its sinks…");
  const add = el("a", { class: "button", href: "#/sinks/add", hidden: true }, "Add a sink");
  const none = empty();
  const body = el("tbody");
  const heads = SINK_HEADS.map((head) => el("th", { scope: "col" }, head));
  const table = el("table", { class: "stacked sinks" }, el("thead", null, el("tr", null, heads)), body);
  none.hidden = table.hidden = true;
  host.append(
    el("div", { class: "view-head" }, el("div", null, heading, state), el("div", { class: "tools" }, add)),
    none,
    table,
  );

  /** @param {SinkView[]} list */
  function render(list) {
    none.hidden = list.length > 0;
    table.hidden = add.hidden = list.length === 0;
    const here = new Set(list.map((view) => view.id));
    for (const [id, row] of rows)
      if (!here.has(id)) {
        const held = row.element.contains(document.activeElement);
        row.element.remove();
        rows.delete(id);
        if (held) heading.focus();
      }
    list.forEach((view, place) => {
      let row = rows.get(view.id);
      if (!row) rows.set(view.id, (row = new SinkRow(view.id, () => refresher.restart())));
      if (body.children[place] !== row.element) body.insertBefore(row.element, body.children[place] ?? null);
      row.update(view, kinds);
    });
  }

  /** @param {AbortSignal} signal */
  async function load(signal) {
    try {
      const [list, known] = await Promise.all([call("get", "/api/v1/sinks", { signal }), sinkTypes()]);
      kinds = known;
      render(list);
      setText(state, ABOUT);
    } catch (error) {
      setText(state, `${problemOf(error).message} What you see may be old; trying again.`);
    }
  }

  const refresher = new Refresher(load, () => INTERVAL_MS);
  refresher.restart();
  return { title: "Sinks", destroy: () => refresher.destroy() };
}
