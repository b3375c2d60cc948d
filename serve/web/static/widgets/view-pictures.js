/** How a camera should look, and how it looked when something was found wrong: side by side, where they are kept. */

/** @import { ViewPicture } from "../../types/documents.js" */

import { call, fetchBlob, problemOf } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { Refresher } from "../lib/refresher.js";
import { captionOf, headingOf, nameOf } from "../lib/view-pictures.js";

const PATH = "/api/v1/monitoring/streams/{stream}/pictures";
const INTERVAL_MS = 20_000;

class ViewPictureFigure {
  #image = el("img", { alt: "" });
  #heading = el("strong");
  #caption = el("span", { class: "muted" });
  /** @type {string | null} */
  #url = null;
  element = el(
    "figure",
    { class: "view-picture" },
    el("div", { class: "picture" }, this.#image),
    el("figcaption", null, this.#heading, this.#caption),
  );

  /**
   * @param {ViewPicture} picture
   * @param {Blob} jpeg
   */
  constructor(picture, jpeg) {
    this.name = nameOf(picture);
    this.#url = URL.createObjectURL(jpeg);
    this.#image.src = this.#url;
    this.#image.alt = `${headingOf(picture)}: ${captionOf(picture)}`;
    setText(this.#heading, headingOf(picture));
    setText(this.#caption, captionOf(picture));
  }

  destroy() {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
  }
}

export class ViewPictures {
  #id;
  /** @type {ViewPictureFigure[]} */
  #figures = [];
  element = el("div", { class: "view-pictures", hidden: true });

  /** @param {string} id */
  constructor(id) {
    this.#id = id;
    this.refresher = new Refresher(
      (signal) => this.#load(signal),
      () => INTERVAL_MS,
    );
    this.refresher.restart();
  }

  destroy() {
    this.refresher.destroy();
    for (const figure of this.#figures) figure.destroy();
  }

  /** @param {AbortSignal} signal */
  async #load(signal) {
    try {
      const { pictures } = await call("get", PATH, { path: { stream: this.#id }, signal });
      const figures = await Promise.all(pictures.map((picture) => this.#figureOf(picture, signal)));
      this.#show(figures);
    } catch (error) {
      if (signal.aborted) throw error;
      problemOf(error); // one that is gone meanwhile comes with the next look
    }
  }

  /**
   * @param {ViewPicture} picture
   * @param {AbortSignal} signal
   */
  async #figureOf(picture, signal) {
    const there = this.#figures.find((figure) => figure.name === nameOf(picture));
    if (there) return there;
    const path = { stream: this.#id, kind: picture.kind };
    return new ViewPictureFigure(picture, await fetchBlob(`${PATH}/{kind}`, { path, signal }));
  }

  /** @param {ViewPictureFigure[]} figures */
  #show(figures) {
    const same = figures.length === this.#figures.length && figures.every((one, place) => one === this.#figures[place]);
    if (same) return;
    for (const figure of this.#figures) if (!figures.includes(figure)) figure.destroy();
    this.#figures = figures;
    this.element.replaceChildren(...figures.map((figure) => figure.element));
    this.element.hidden = figures.length === 0;
  }
}
