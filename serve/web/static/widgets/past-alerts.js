/** Alerts that were: of everything, or of one camera. */

/** @import { PastAlert } from "../../types/documents.js" */

import { call, problemOf } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { SEVERITIES } from "../lib/health.js";
import { Refresher } from "../lib/refresher.js";
import { title } from "../lib/status.js";
import { findStream } from "../lib/streams.js";
import { duration, moment } from "../lib/times.js";

const INTERVAL_MS = 10_000;
const MOST = 20;

export class PastAlerts {
  #about;
  #table;
  #rows = el("tbody");
  #state = el("p", { class: "muted", role: "status" }, "Asking…");
  #refresher = new Refresher(
    (signal) => this.#load(signal),
    () => INTERVAL_MS,
  );

  /** @param {string | null} about id of a stream; null for everything */
  constructor(about) {
    this.#about = about;
    const heads = ["Since", "Lasted", ...(about === null ? ["Where"] : []), "How bad", "What"];
    this.#table = el(
      "div",
      { class: "table-scroll", hidden: true },
      el(
        "table",
        { class: "events" },
        el(
          "thead",
          null,
          el(
            "tr",
            null,
            heads.map((head) => el("th", { scope: "col" }, head)),
          ),
        ),
        this.#rows,
      ),
    );
    this.element = el(
      "section",
      { class: "panel", "aria-labelledby": "past-heading" },
      el("h2", { id: "past-heading" }, "Lately"),
      this.#state,
      this.#table,
    );
    this.#refresher.restart();
  }

  destroy() {
    this.#refresher.destroy();
  }

  /** @param {AbortSignal} signal */
  async #load(signal) {
    try {
      const query = this.#about === null ? { limit: MOST } : { limit: MOST, about: this.#about };
      const found = await call("get", "/api/v1/alerts/history", { query, signal });
      this.#rows.replaceChildren(...found.map((alert) => this.#row(alert)));
      this.#table.hidden = found.length === 0;
      setText(this.#state, found.length ? "" : "There was nothing.");
    } catch (error) {
      if (!signal.aborted) setText(this.#state, problemOf(error).message);
    }
  }

  /** @param {PastAlert} alert */
  #row(alert) {
    const begun = Date.parse(alert.since);
    const stream = findStream(alert.about);
    const lasted = alert.cleared === null ? "still on" : duration((Date.parse(alert.cleared) - begun) / 1000);
    return el(
      "tr",
      { dataset: { severity: alert.severity } },
      el("td", null, moment(begun)),
      el("td", null, lasted),
      this.#about === null && el("td", null, stream ? title(stream) : alert.about),
      el("td", null, SEVERITIES[alert.severity] ?? alert.severity),
      el("td", null, alert.summary),
    );
  }
}
