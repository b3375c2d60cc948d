/** The drawing surface of the editor: shapes over a snapshot, made and moved by mouse, finger or keys. */

/** @import { Point, Shape } from "../../types/documents.js" */
/** @typedef {Shape["kind"]} Tool */
/** @import { ToPixels } from "./shape-nodes.js" */

import { el, first, setText, svg } from "../lib/dom.js";
import { clamp, shifted } from "../lib/geometry.js";
import { pointsOf, withPoints } from "../lib/shapes.js";
import { draftNode, nameNode, shapeNode } from "./shape-nodes.js";

const CLOSE_PX = 12;
const DRAG_PX = 8;
/** @type {Record<string, Point>} */
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * What the surface tells of.
 *
 * @typedef {object} DrawingEvents
 * @property {(kind: Tool, points: Point[]) => void} drawn
 * @property {(shape: Shape, reason: string | null) => void} moved
 * @property {() => void} settled
 * @property {(key: string | null) => void} selected
 * @property {(key: string) => void} removed
 * @property {() => void} toolChanged
 */

/** Knows what is being drawn and what is held; the shapes themselves belong to the editor. */
export class Drawing {
  /** @type {Tool | null} */
  tool = null;
  #events;
  /** @type {Shape[]} */
  #shapes = [];
  /** @type {string | null} */
  #selected = null;
  /** @type {Point[]} */
  #draft = [];
  /** @type {Point} */
  #cursor = [0.5, 0.5];
  /** @type {{ shape: Shape, point: number | null, from: Point, began: boolean } | null} */
  #held = null;
  /** @type {Point} */
  #pressed = [0, 0];
  #hint = el("p", { class: "draw-hint", role: "status" });
  #surface = svg("svg", {
    class: "draw-surface",
    tabindex: "0",
    role: "group",
    "aria-label": "Drawing over the snapshot",
  });
  #image = el("img", { alt: "Snapshot of the camera", draggable: "false", hidden: true });
  #missing = el("p", { class: "picture-notice" }, "Taking a snapshot…");
  #picture = el("div", { class: "picture draw" }, this.#image, this.#missing, this.#surface);
  element = el("div", { class: "draw-box" }, this.#picture, this.#hint);

  /** @param {DrawingEvents} events */
  constructor(events) {
    this.#events = events;
    this.#surface.addEventListener("pointerdown", (event) => this.#press(event));
    this.#surface.addEventListener("pointermove", (event) => this.#move(event));
    this.#surface.addEventListener("pointerup", (event) => this.#release(event));
    this.#surface.addEventListener("pointercancel", () => (this.#held = null));
    this.#surface.addEventListener("dblclick", () => this.finish());
    this.#surface.addEventListener("keydown", (event) => this.#key(event));
    this.sizes = new ResizeObserver(() => this.render());
    this.sizes.observe(this.#picture);
    this.#tell();
  }

  destroy() {
    this.sizes.disconnect();
  }

  /**
   * @param {string} url
   * @param {{ width?: number | null, height?: number | null }} view
   */
  showSnapshot(url, view) {
    if (view.width && view.height) this.#picture.style.aspectRatio = `${view.width} / ${view.height}`;
    this.#image.src = url;
    this.#image.hidden = false;
    this.#missing.hidden = true;
  }

  /** @param {string} text */
  showReason(text) {
    this.#missing.hidden = false;
    setText(this.#missing, text);
  }

  /**
   * @param {Shape[]} shapes
   * @param {string | null} selected
   */
  show(shapes, selected) {
    this.#shapes = shapes;
    this.#selected = selected;
    this.render();
  }

  /**
   * Begin a line or a zone; null puts the pen away.
   *
   * @param {Tool | null} tool
   */
  take(tool) {
    this.tool = tool;
    this.#draft = [];
    this.#cursor = [0.5, 0.5];
    this.#picture.classList.toggle("is-drawing", tool !== null);
    this.#tell();
    this.#events.toolChanged();
    this.render();
    if (tool) this.#surface.focus({ preventScroll: true });
  }

  get canFinish() {
    return this.tool === "zone" && this.#draft.length >= 3;
  }

  /** Close the zone that is being drawn. */
  finish() {
    if (!this.canFinish) return;
    const points = this.#draft;
    this.take(null);
    this.#events.drawn("zone", points);
  }

  /** Take back the last point of what is being drawn; false if there is none. */
  undoPoint() {
    if (!this.#draft.length) return false;
    this.#draft = this.#draft.slice(0, -1);
    this.#tell();
    this.#events.toolChanged();
    this.render();
    return true;
  }

  #tell() {
    const count = this.#draft.length;
    setText(
      this.#hint,
      this.tool === "line"
        ? count
          ? "Click where the line ends. Esc cancels."
          : "Click where the line begins."
        : this.tool === "zone"
          ? count < 3
            ? "Click the corners of the zone, at least three."
            : "Click the first corner again, or press Enter, to close the zone."
          : "Drag points or whole shapes. With keys: Tab to a point, arrows to move it, Delete to remove.",
    );
  }

  // -- pointer

  #size() {
    return [this.#picture.clientWidth || 1, this.#picture.clientHeight || 1];
  }

  /** @param {MouseEvent} event */
  #place(event) {
    const box = this.#surface.getBoundingClientRect();
    return clamp([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
  }

  /**
   * @param {Point} p
   * @param {Point} q
   */
  #distancePx(p, q) {
    const [width, height] = this.#size();
    return Math.hypot((p[0] - q[0]) * width, (p[1] - q[1]) * height);
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0) return;
    this.#surface.setPointerCapture(event.pointerId);
    const at = this.#place(event);
    if (this.tool) {
      event.preventDefault();
      this.#surface.focus({ preventScroll: true });
      this.#pressed = at;
      this.#put(at);
      return;
    }
    const { key = null, point, after } = marksOf(event.target);
    this.#events.selected(key);
    const shape = this.#shapes.find((one) => one.key === key);
    if (!shape) return;
    this.#held = this.#grip(shape, point, after, at);
  }

  /**
   * What is dragged: one point, a new corner in the middle of a side, or the whole shape.
   *
   * @param {Shape} shape
   * @param {string | undefined} point
   * @param {string | undefined} after
   * @param {Point} at
   */
  #grip(shape, point, after, at) {
    const points = pointsOf(shape);
    if (after !== undefined) {
      const index = Number(after) + 1;
      return { shape: withPoints(shape, points.toSpliced(index, 0, at)), point: index, from: at, began: false };
    }
    return { shape, point: point === undefined ? null : Number(point), from: at, began: false };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const at = this.#place(event);
    if (this.tool) {
      this.#cursor = at;
      if (this.#draft.length) this.render();
    } else if (this.#held) {
      const { shape, point, from } = this.#held;
      const points = pointsOf(shape);
      const moved = point === null ? shifted(points, [at[0] - from[0], at[1] - from[1]]) : points.with(point, at);
      if (this.#distancePx(at, from) > 2 || this.#held.began) {
        this.#held.began = true;
        this.#events.moved(withPoints(shape, moved), "drag");
      }
    }
  }

  /** @param {PointerEvent} event */
  #release(event) {
    const at = this.#place(event);
    if (this.tool === "line" && this.#draft.length === 1 && this.#distancePx(this.#pressed, at) > DRAG_PX)
      this.#put(at);
    if (this.#held) this.#events.settled();
    this.#held = null;
  }

  /**
   * A point of what is being drawn.
   *
   * @param {Point} at
   */
  #put(at) {
    const draft = this.#draft;
    if (this.canFinish && this.#distancePx(at, draft[0]) < CLOSE_PX) {
      this.finish();
      return;
    }
    if (this.#isLast(at)) return; // a double click is one point
    this.#draft = [...draft, at];
    this.#cursor = at;
    if (this.tool === "line" && this.#draft.length === 2) {
      const points = this.#draft;
      this.take(null);
      this.#events.drawn("line", points);
    } else {
      this.#tell();
      this.#events.toolChanged();
      this.render();
    }
  }

  /**
   * Whether the last point of what is being drawn is there already.
   *
   * @param {Point} at
   */
  #isLast(at) {
    const last = this.#draft.at(-1);
    return last !== undefined && this.#distancePx(at, last) < 4;
  }

  // -- keys

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = KEYS[event.key];
    if (this.tool) {
      if (step) {
        const by = event.shiftKey ? 0.05 : 0.01;
        [this.#cursor] = shifted([this.#cursor], [step[0] * by, step[1] * by]);
        this.render();
      } else if (event.key === "Enter" && this.canFinish && this.#isLast(this.#cursor)) this.finish();
      else if (event.key === "Enter" || event.key === " ") this.#put(this.#cursor);
      else if (event.key === "Escape") this.take(null);
      else return;
      event.preventDefault();
      return;
    }
    const { key, point } = marksOf(event.target);
    const shape = this.#shapes.find((one) => one.key === key);
    if (!shape || point === undefined) return;
    const points = pointsOf(shape);
    const index = Number(point);
    if (step) {
      const by = event.shiftKey ? 0.025 : 0.005;
      const moved = clamp([points[index][0] + step[0] * by, points[index][1] + step[1] * by]);
      this.#events.moved(withPoints(shape, points.with(index, moved)), `key/${key}/${point}`);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      if (shape.kind === "zone" && points.length > 3)
        this.#events.moved(withPoints(shape, points.toSpliced(index, 1)), null);
      else this.#events.removed(shape.key);
    } else return;
    event.preventDefault();
  }

  // -- picture

  render() {
    const [width, height] = this.#size();
    /** @type {ToPixels} */
    const px = ([x, y]) => [x * width, y * height];
    const draft = { points: this.#draft.map(px), cursor: px(this.#cursor), closable: this.canFinish };
    const { key, point } = marksOf(document.activeElement);
    this.#surface.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#surface.replaceChildren(
      ...this.#shapes.map((shape) => shapeNode(shape, px, shape.key === this.#selected)),
      ...this.#shapes.map((shape) => nameNode(shape, px)),
      ...(this.tool ? [draftNode({ tool: this.tool, ...draft })] : []),
    );
    if (key !== undefined && point !== undefined && this.#surface !== document.activeElement)
      first(this.#surface, `[data-key="${CSS.escape(key)}"][data-point="${point}"]`)?.focus();
  }
}

/**
 * What an element says about itself: the shape that it belongs to, and the point that it is or that it follows.
 *
 * @param {EventTarget | null} target
 * @returns {{ key?: string, point?: string, after?: string }}
 */
function marksOf(target) {
  if (!(target instanceof SVGElement)) return {};
  const group = target.closest("[data-key]");
  return { key: group instanceof SVGElement ? group.dataset.key : undefined, ...target.dataset };
}
