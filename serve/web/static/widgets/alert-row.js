/** One alert: what is wrong, since when, what to do about it, and who knows. */

/** @import { Alert } from "../../types/documents.js" */

import { call } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { knownText, SEVERITIES, SILENCES, sinceText } from "../lib/health.js";
import { sentence, title } from "../lib/status.js";
import { findStream } from "../lib/streams.js";
import { Outcome } from "./outcome.js";

export class AlertRow {
  #id;
  #changed;
  /** @type {Alert | null} */
  #alert = null;
  #badge = el("span", { class: "badge" });
  #where = el("strong");
  #link = el("a");
  #since = el("span", { class: "muted" });
  #summary = el("p", { class: "alert-summary" });
  #detail = el("p", { class: "muted" });
  #advice = el("p", { class: "hint" });
  #known = el("span", { class: "muted" });
  #knows = el("button", { type: "button", class: "button", onclick: () => this.#acknowledge() }, "I know");
  #silence = el(
    "select",
    { "aria-label": "Silence it", onchange: () => this.#mute() },
    el("option", { value: "" }, "Silence for…"),
    SILENCES.map(({ seconds, words }) => el("option", { value: String(seconds) }, words)),
  );
  #outcome = new Outcome();

  /**
   * @param {string} id
   * @param {() => void} changed is called when the list should be asked for anew
   */
  constructor(id, changed) {
    this.#id = id;
    this.#changed = changed;
    this.element = el(
      "li",
      { class: "alert", dataset: { alert: id } },
      el("div", { class: "alert-head" }, this.#badge, this.#where, this.#link, this.#since),
      this.#summary,
      this.#detail,
      this.#advice,
      el("div", { class: "actions" }, this.#knows, this.#silence, this.#known),
      this.#outcome.element,
    );
  }

  /** @param {Alert} alert */
  update(alert) {
    this.#alert = alert;
    const stream = findStream(alert.about);
    const place = stream ? title(stream) : alert.about === "service" ? "The service" : alert.about;
    this.element.dataset.severity = alert.severity;
    this.element.dataset.known = knownText(alert) ? "yes" : "no";
    this.#badge.dataset.severity = alert.severity;
    setText(this.#badge, SEVERITIES[alert.severity] ?? alert.severity);
    this.#where.hidden = stream !== null;
    this.#link.hidden = stream === null;
    setText(this.#where, place);
    setText(this.#link, place);
    this.#link.href = `#/cameras/${encodeURIComponent(alert.about)}/health`;
    setText(this.#since, alert.state === "clearing" ? `${sinceText(alert)}, seems to be over` : sinceText(alert));
    setText(this.#summary, alert.summary);
    setText(this.#detail, sentence(alert.detail));
    setText(this.#advice, alert.advice);
    setText(this.#known, knownText(alert));
    this.#knows.hidden = alert.acknowledged_by !== null;
    this.#silence.hidden = alert.silenced;
    this.#knows.setAttribute("aria-label", `I know: ${place}, ${alert.summary}`);
  }

  async #acknowledge() {
    const done = await this.#outcome.of("Saving…", async () => {
      await call("post", "/api/v1/alerts/{alert}/acknowledge", { path: { alert: this.#id } });
      return "";
    });
    if (done) this.#changed();
  }

  async #mute() {
    const alert = this.#alert;
    const seconds = Number(this.#silence.value);
    this.#silence.value = "";
    if (!alert || !seconds) return;
    const done = await this.#outcome.of("Saving…", async () => {
      const until = new Date(Date.now() + seconds * 1000).toISOString();
      const body = { rule: alert.rule, about: alert.about, until, reason: "from the page" };
      await call("post", "/api/v1/silences", { body });
      return "";
    });
    if (done) this.#changed();
  }
}
