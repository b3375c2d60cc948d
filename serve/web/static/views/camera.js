/** One camera: live, its heatmap, its counts, and what can be done with it. */

/** @import { StreamView } from "../../types/documents.js" */
/** @import { MakeView } from "../../types/views.js" */

import { call, problemOf } from "../lib/api.js";
import { announce, el, setText } from "../lib/dom.js";
import { sentence, since, title } from "../lib/status.js";
import { findStream, refresh, streams, subscribe } from "../lib/streams.js";
import { Counts } from "../widgets/counts.js";
import { confirm } from "../widgets/dialogs.js";
import { Heatmap } from "../widgets/heatmap.js";
import { LivePicture } from "../widgets/live.js";
import { Period } from "../widgets/period.js";
import { Badge, Figures } from "../widgets/state.js";

const PATH = "/api/v1/streams/{stream}";

/** @type {MakeView} */
export function cameraView(host, { id, path, query }) {
  const view = new CameraPage(id, path, query);
  host.append(view.element);
  const leave = subscribe(() => view.update());
  return {
    title: title(findStream(id) ?? { id, name: "" }),
    destroy() {
      leave();
      view.destroy();
    },
  };
}

class CameraPage {
  #id;
  #path;
  #started = false;
  /** @type {StreamView | null} */
  #view = null;
  #name = el("h1", { tabindex: "-1" });
  #place = el("p", { class: "muted" });
  #badge = new Badge();
  #since = el("span", { class: "muted" });
  #figures = new Figures();
  #message = el("div", { class: "message", role: "alert", hidden: true });
  #hint = el("div", { class: "message calm", hidden: true });
  #body = el("div", { class: "camera-body" });
  #toggle = el("button", { type: "button", class: "button", onclick: () => this.#switch() }, "Stop");

  /**
   * @param {string} id
   * @param {string} path of this view, in the page's address
   * @param {URLSearchParams} query
   */
  constructor(id, path, query) {
    this.#id = id;
    this.#path = path;
    const here = `#/cameras/${encodeURIComponent(id)}`;
    this.period = new Period(query, () => this.#ask());
    this.picture = new LivePicture(id, { fit: true });
    this.heatmap = new Heatmap(id, this.period);
    this.counts = new Counts(id, this.period);
    setText(this.#name, id);
    this.#hint.append(
      el(
        "p",
        null,
        "Nothing is drawn on this camera yet. Draw a line to count who crosses it, or a zone to see who stays.",
      ),
      el("a", { class: "button primary", href: `${here}/draw` }, "Draw lines and zones"),
    );
    this.#body.append(
      el(
        "section",
        { class: "live", "aria-labelledby": "live-heading" },
        el(
          "div",
          { class: "section-head" },
          el("div", null, el("h2", { id: "live-heading" }, "Live"), this.#since),
          this.#badge.element,
        ),
        this.picture.element,
        this.#figures.element,
      ),
      this.heatmap.element,
      this.counts.element,
    );
    this.element = el(
      "div",
      { class: "camera" },
      el(
        "div",
        { class: "view-head" },
        el("div", null, el("a", { class: "back", href: "#/" }, "All cameras"), this.#name, this.#place),
        el(
          "div",
          { class: "actions" },
          el("a", { class: "button", href: `${here}/draw` }, "Lines and zones"),
          el("a", { class: "button", href: `${here}/health` }, "Health"),
          el("a", { class: "button", href: `${here}/settings` }, "Settings"),
          this.#toggle,
          el("button", { type: "button", class: "button danger-text", onclick: () => this.#delete() }, "Delete"),
        ),
      ),
      this.#message,
      this.#hint,
      this.period.element,
      this.#body,
    );
  }

  destroy() {
    this.picture.destroy();
    this.heatmap.destroy();
    this.counts.destroy();
  }

  /** The newest word on this camera, with the list of all. */
  update() {
    const view = findStream(this.#id);
    if (!view) {
      if (streams.list) this.#gone();
      return;
    }
    this.#view = view;
    setText(this.#name, title(view));
    document.title = `${title(view)} – Footfall`;
    setText(
      this.#place,
      [view.site, view.id, view.source.url ?? view.source.topic ?? view.source.path ?? view.source.type]
        .filter(Boolean)
        .join(" · "),
    );
    setText(this.#since, since(view));
    setText(this.#toggle, view.enabled ? "Stop" : "Start");
    this.#badge.update(view);
    this.#figures.update(view);
    this.picture.update(view);
    this.heatmap.useSize(view);
    this.counts.useGeometry(view.geometry);
    this.#hint.hidden = view.geometry.lines.length + view.geometry.zones.length > 0;
    if (!this.#started) {
      this.#started = true;
      this.#load();
    }
  }

  #gone() {
    this.destroy();
    this.element.replaceChildren(
      el("h1", { tabindex: "-1" }, `There is no camera “${this.#id}”`),
      el("p", null, el("a", { href: "#/" }, "All cameras")),
    );
  }

  #load() {
    this.heatmap.refresher.restart();
    this.counts.refresher.restart();
  }

  #ask() {
    history.replaceState(null, "", `#${this.#path}?${this.period.toQuery()}`);
    this.#load();
  }

  // -- what can be done

  /** @param {() => Promise<void>} work */
  async #try(work) {
    this.#message.hidden = true;
    try {
      await work();
    } catch (error) {
      this.#message.hidden = false;
      this.#message.replaceChildren(el("p", null, sentence(problemOf(error).message)));
    }
  }

  async #switch() {
    const view = this.#view;
    if (!view) return;
    const sure =
      !view.enabled ||
      (await confirm({
        title: `Stop ${title(view)}?`,
        text: "Nobody is counted while it is stopped. Everything counted so far stays, and so do its lines and zones.",
        action: "Stop the camera",
      })) !== null;
    if (!sure) return;
    this.#toggle.disabled = true;
    await this.#try(async () => {
      await call("patch", PATH, { path: { stream: this.#id }, body: { enabled: !view.enabled } });
      await refresh();
    });
    this.#toggle.disabled = false;
  }

  async #delete() {
    const view = this.#view;
    if (!view) return;
    const purge = await confirm({
      title: `Delete ${title(view)}?`,
      text:
        "The camera and its lines and zones are removed. Counts and heatmaps stay in the database unless you delete " +
        "them too.",
      option: "Delete its counts and heatmaps too",
      action: "Delete the camera",
      danger: true,
    });
    if (purge === null) return;
    await this.#try(async () => {
      await call("delete", PATH, { path: { stream: this.#id }, query: { purge } });
      announce(`${title(view)} is deleted.`);
      location.hash = "#/";
      await refresh();
    });
  }
}
