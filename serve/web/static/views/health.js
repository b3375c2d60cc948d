/** How everything is: the fleet at a glance, and what is wrong, since when, and why. */

/** @import { Alert } from "../../types/documents.js" */
/** @import { MakeView } from "../../types/views.js" */
/** @import { Condition } from "../lib/health.js" */

import { call, problemOf } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { CONDITIONS, countsOf, fleetOf, isOn } from "../lib/health.js";
import { Refresher } from "../lib/refresher.js";
import { streams, subscribe } from "../lib/streams.js";
import { AlertRow } from "../widgets/alert-row.js";
import { Mosaic } from "../widgets/mosaic.js";
import { PastAlerts } from "../widgets/past-alerts.js";

const INTERVAL_MS = 2000;

/** @type {MakeView} */
export function healthView(host) {
  /** @type {Map<string, AlertRow>} */
  const rows = new Map();
  /** @type {Alert[]} */
  let alerts = [];
  const state = el("p", { class: "muted", role: "status" }, "Asking the service how everything is…");
  const legend = el("ul", { class: "mosaic-key" });
  const mosaic = new Mosaic();
  const list = el("ul", { class: "alerts" });
  const none = el("p", { class: "muted", hidden: true }, "Nothing is wrong.");
  const past = new PastAlerts(null);
  host.append(
    el("div", { class: "view-head" }, el("div", null, el("h1", { tabindex: "-1" }, "Health"), state)),
    el(
      "section",
      { class: "panel fleet", "aria-labelledby": "fleet-heading" },
      el("div", { class: "section-head" }, el("h2", { id: "fleet-heading" }, "All cameras"), legend),
      mosaic.element,
    ),
    el(
      "section",
      { class: "panel", "aria-labelledby": "wrong-heading" },
      el("h2", { id: "wrong-heading" }, "What is wrong"),
      none,
      list,
    ),
    past.element,
  );

  function render() {
    const fleet = fleetOf(streams.list ?? [], alerts);
    const counts = countsOf(fleet);
    mosaic.update(fleet);
    const kinds = /** @type {Condition[]} */ (Object.keys(CONDITIONS)).filter((kind) => counts[kind] > 0);
    legend.replaceChildren(
      ...kinds.map((kind) =>
        el(
          "li",
          null,
          el("span", { class: "cell", dataset: { condition: kind } }),
          `${counts[kind]} ${CONDITIONS[kind].toLowerCase()}`,
        ),
      ),
    );
    const on = alerts.filter(isOn);
    none.hidden = on.length > 0;
    const here = new Set(on.map((alert) => alert.id));
    for (const [id, row] of rows)
      if (!here.has(id)) {
        row.element.remove();
        rows.delete(id);
      }
    on.forEach((alert, place) => {
      let row = rows.get(alert.id);
      if (!row) rows.set(alert.id, (row = new AlertRow(alert.id, () => refresher.restart())));
      if (list.children[place] !== row.element) list.insertBefore(row.element, list.children[place] ?? null);
      row.update(alert);
    });
  }

  /** @param {AbortSignal} signal */
  async function load(signal) {
    try {
      alerts = await call("get", "/api/v1/alerts", { signal });
      const on = alerts.filter(isOn).length;
      setText(state, on === 0 ? "Nothing is wrong." : on === 1 ? "One thing is wrong." : `${on} things are wrong.`);
      render();
    } catch (error) {
      if (!signal.aborted) setText(state, `${problemOf(error).message} What you see may be old; trying again.`);
    }
  }

  const refresher = new Refresher(load, () => INTERVAL_MS);
  const leave = subscribe(render);
  refresher.restart();
  return {
    title: "Health",
    destroy() {
      leave();
      refresher.destroy();
      past.destroy();
    },
  };
}
