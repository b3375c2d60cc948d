/** The live picture of one stream: frames, boxes, or the reason why there are none. */

/** @import { StreamView } from "../../types/documents.js" */
/** @import { FrameMessage } from "../../types/live.js" */
/** @typedef {{ meta: FrameMessage, jpeg: Blob }} Frame */

import { liveAddress } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { ReconnectingSocket } from "../lib/socket.js";
import { sentence, since, stateWord, title } from "../lib/status.js";
import { duration } from "../lib/times.js";
import { drawBoxes, drawGeometry } from "./overlay.js";

const FLASH_MS = 900;
const OLD_S = 5;
/** @type {WeakMap<Element, LivePicture>} */
const pictures = new WeakMap();
const sight = new IntersectionObserver(
  (entries) => entries.forEach((entry) => pictures.get(entry.target)?.seen(entry.isIntersecting)),
  { rootMargin: "120px" },
);
const sizes = new ResizeObserver((entries) => entries.forEach((entry) => pictures.get(entry.target)?.resize()));

/** Only a picture in sight holds a connection. */
export class LivePicture {
  #canvas = el("canvas", { role: "img" });
  #people = el("span", { class: "picture-people", hidden: true });
  #heading = el("strong");
  #reason = el("span");
  #since = el("span", { class: "picture-since" });
  #notice = el("div", { class: "picture-notice" }, this.#heading, this.#reason, this.#since);
  element = el("div", { class: "picture", dataset: { frames: "0" } }, this.#canvas, this.#notice, this.#people);

  #socket;
  /** @type {StreamView | null} */
  #view = null;
  #visible = false;
  /** @type {FrameMessage | null} */
  #meta = null;
  /** @type {Frame | null} */
  #waiting = null;
  #decoding = false;
  /** @type {{ meta: FrameMessage, bitmap: ImageBitmap } | null} */
  #shown = null;
  #frames = 0;
  /** @type {Map<string, number>} */
  #flashes = new Map();
  #onvisibility = () => this.#connect();

  /**
   * @param {string} id
   * @param {{ fit?: boolean }} options ``fit``: take the shape of the picture
   */
  constructor(id, { fit = false } = {}) {
    this.fit = fit;
    this.#socket = new ReconnectingSocket(
      () => liveAddress(id),
      (data) => this.#receive(data),
    );
    pictures.set(this.element, this);
    sight.observe(this.element);
    sizes.observe(this.element);
    document.addEventListener("visibilitychange", this.#onvisibility);
  }

  destroy() {
    sight.unobserve(this.element);
    sizes.unobserve(this.element);
    document.removeEventListener("visibilitychange", this.#onvisibility);
    this.#socket.close();
    this.#shown?.bitmap.close();
    this.#shown = null;
    this.#view = null;
  }

  /**
   * The newest word of the API on this stream.
   *
   * @param {StreamView} view
   */
  update(view) {
    this.#view = view;
    this.#canvas.setAttribute("aria-label", `Live picture of ${title(view)}`);
    if (this.fit && view.width && view.height) this.element.style.aspectRatio = `${view.width} / ${view.height}`;
    this.#connect();
    this.#explain(view);
  }

  /** @param {boolean} visible */
  seen(visible) {
    this.#visible = visible;
    this.#connect();
  }

  resize() {
    this.#draw();
  }

  #connect() {
    if (this.#visible && !document.hidden && this.#view?.enabled) this.#socket.open();
    else this.#socket.close();
  }

  /** @param {StreamView} view */
  #explain(view) {
    const age = view.frame_age_s ?? 0;
    const old = age > OLD_S;
    const live = view.state === "running" && this.#frames > 0 && !old;
    this.#notice.hidden = live;
    this.element.classList.toggle("is-old", !live && this.#frames > 0);
    if (live) return;
    this.#people.hidden = true;
    this.#notice.dataset.state = view.state;
    const silence = old ? `No picture for ${duration(age)}` : "Waiting for the first picture";
    setText(this.#heading, view.state === "running" ? silence : stateWord(view));
    setText(
      this.#reason,
      view.error
        ? `${sentence(view.error)}.`
        : view.state === "stopped"
          ? "Nobody is counted while it is stopped."
          : "",
    );
    setText(this.#since, view.state === "running" ? "" : since(view));
  }

  /** @param {string | Blob} data */
  #receive(data) {
    if (typeof data === "string") {
      this.#meta = JSON.parse(data);
      return;
    }
    if (!this.#meta) return;
    const frame = { meta: this.#meta, jpeg: data };
    if (this.#decoding)
      this.#waiting = frame; // the newest wins
    else this.#decode(frame);
  }

  /** @param {Frame} frame */
  async #decode(frame) {
    this.#decoding = true;
    /** @type {Frame | null} */
    let next = frame;
    for (; next; next = this.#take()) {
      const bitmap = await createImageBitmap(next.jpeg).catch(() => null);
      if (!this.#view) bitmap?.close();
      else if (bitmap) this.#show(this.#view, next.meta, bitmap);
    }
    this.#decoding = false;
  }

  #take() {
    const waiting = this.#waiting;
    this.#waiting = null;
    return waiting;
  }

  /**
   * @param {StreamView} view
   * @param {FrameMessage} meta
   * @param {ImageBitmap} bitmap
   */
  #show(view, meta, bitmap) {
    this.#shown?.bitmap.close();
    this.#shown = { meta, bitmap };
    this.#frames += 1;
    for (const { line } of meta.crossings) this.#flashes.set(line, performance.now() + FLASH_MS);
    this.element.dataset.frames = String(this.#frames);
    this.element.dataset.boxes = String(meta.tracks.length);
    if (view.state === "running") {
      const count = meta.tracks.length;
      this.#people.hidden = count === 0;
      setText(this.#people, count === 1 ? "1 person" : `${count} people`);
    }
    this.#explain(view);
    this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const context = this.#canvas.getContext("2d");
    if (!this.#shown || !this.#view || !context || !width || !height) return;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.#canvas.width !== wide || this.#canvas.height !== high)
      [this.#canvas.width, this.#canvas.height] = [wide, high];
    const { meta, bitmap } = this.#shown;
    const scale = Math.min(width / bitmap.width, height / bitmap.height);
    const size = { width: bitmap.width * scale, height: bitmap.height * scale };
    const area = { x: (width - size.width) / 2, y: (height - size.height) / 2, ...size };
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, area.x, area.y, area.width, area.height);
    drawGeometry(context, this.#view.geometry, area, this.#flashing());
    drawBoxes(context, meta.tracks, area);
  }

  #flashing() {
    const now = performance.now();
    for (const [line, until] of this.#flashes) if (until < now) this.#flashes.delete(line);
    return this.#flashes;
  }
}
