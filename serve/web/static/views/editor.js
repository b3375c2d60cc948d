/** Lines and zones of one camera: drawn on a snapshot, named, saved with their version. */

/** @import { Geometry, Point, Shape, StreamView } from "../../types/documents.js" */
/** @import { MakeView } from "../../types/views.js" */
/** @import { Problem } from "../lib/api.js" */
/** @import { Change } from "../widgets/shape-panel.js" */

import { call, fetchBlob, problemOf } from "../lib/api.js";
import { announce, el, setText } from "../lib/dom.js";
import { crossesItself } from "../lib/geometry.js";
import { History } from "../lib/history.js";
import { documentOf, freeName, nameOf, shapesOf } from "../lib/shapes.js";
import { sentence, stateWord, title } from "../lib/status.js";
import { Drawing } from "../widgets/drawing.js";
import { ShapePanel } from "../widgets/shape-panel.js";

/** @type {MakeView} */
export function editorView(host, { id }) {
  const view = new Editor(id);
  host.append(view.element);
  view.load();
  return {
    title: "Lines and zones",
    unsaved: () => view.history.changed,
    destroy: () => view.destroy(),
  };
}

class Editor {
  history = new History(/** @type {Shape[]} */ ([]));
  #id;
  /** @type {number | null} */
  #version = null;
  /** @type {Geometry["homography"]} */
  #homography = null;
  /** @type {string | null} */
  #selected = null;
  #made = 0;
  /** @type {StreamView | null} */
  #view = null;
  /** @type {string | null} */
  #snapshot = null;
  /** @type {Map<string, ShapePanel>} */
  #panels = new Map();
  #heading = el("h1", { tabindex: "-1" }, "Lines and zones");
  #message = el("div", { class: "message", role: "alert", hidden: true });
  #list = el("ol", { class: "shapes" });
  #none = el(
    "p",
    { class: "muted" },
    "Nothing is drawn yet. A line counts who crosses it, in either direction; a zone tells how many stand in it and " +
      "for how long. Both look at people's feet.",
  );
  #line = el("button", { type: "button", class: "button", onclick: () => this.#toggle("line") }, "Draw a line");
  #zone = el("button", { type: "button", class: "button", onclick: () => this.#toggle("zone") }, "Draw a zone");
  #finish = el(
    "button",
    { type: "button", class: "button", hidden: true, onclick: () => this.#drawing.finish() },
    "Close the zone",
  );
  #undo = el("button", { type: "button", class: "button quiet", onclick: () => this.#step("undo") }, "Undo");
  #redo = el("button", { type: "button", class: "button quiet", onclick: () => this.#step("redo") }, "Redo");
  #renew = el("button", { type: "button", class: "button quiet", onclick: () => this.#loadSnapshot() }, "New snapshot");
  #save = el(
    "button",
    { type: "button", class: "button primary", id: "save-geometry", onclick: () => this.#store() },
    "Save",
  );
  #drawing = new Drawing({
    drawn: (kind, points) => this.#add(kind, points),
    moved: (shape, reason) => this.#change(shape, reason),
    settled: () => this.history.settle(),
    selected: (key) => this.#select(key),
    removed: (key) => this.#remove(key),
    toolChanged: () => this.#showTools(),
  });
  /** @param {KeyboardEvent} event */
  #onkey = (event) => {
    const typing = event.target instanceof Element && event.target.matches("input, select");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !typing) {
      event.preventDefault();
      this.#step(event.shiftKey ? "redo" : "undo");
    }
  };

  /** @param {string} id */
  constructor(id) {
    this.#id = id;
    this.element = el(
      "div",
      { class: "editor" },
      el(
        "div",
        { class: "view-head" },
        el(
          "div",
          null,
          el("a", { class: "back", href: `#/cameras/${encodeURIComponent(id)}` }, "Back to the camera"),
          this.#heading,
        ),
        el("div", { class: "actions" }, this.#save),
      ),
      this.#message,
      el(
        "div",
        { class: "editor-body" },
        el(
          "div",
          { class: "editor-stage" },
          el(
            "div",
            { class: "tools", role: "toolbar", "aria-label": "Drawing tools" },
            this.#line,
            this.#zone,
            this.#finish,
            el("span", { class: "gap" }),
            this.#undo,
            this.#redo,
            this.#renew,
          ),
          this.#drawing.element,
        ),
        el("aside", { class: "panel", "aria-label": "What is drawn" }, el("h2", null, "Drawn"), this.#none, this.#list),
      ),
    );
    document.addEventListener("keydown", this.#onkey);
    this.#render();
  }

  destroy() {
    document.removeEventListener("keydown", this.#onkey);
    this.#drawing.destroy();
    if (this.#snapshot) URL.revokeObjectURL(this.#snapshot);
  }

  /** Take the camera as it is now; what is drawn here is replaced. */
  async load() {
    try {
      const view = await call("get", "/api/v1/streams/{stream}", { path: { stream: this.#id } });
      this.#view = view;
      setText(this.#heading, `Lines and zones: ${title(view)}`);
      this.#take(view.geometry);
      this.#say(null);
      await this.#loadSnapshot();
    } catch (error) {
      this.#say(sentence(problemOf(error).message));
    }
  }

  async #loadSnapshot() {
    const view = this.#view;
    if (!view) return;
    if (view.state !== "running") {
      const reason = view.error ? `: ${view.error}` : "";
      this.#drawing.showReason(
        `No snapshot, because the camera is not running (${stateWord(view).toLowerCase()}${reason}).`,
      );
      return;
    }
    this.#renew.disabled = true;
    try {
      const blob = await fetchBlob("/api/v1/streams/{stream}/snapshot.jpg", { path: { stream: this.#id } });
      if (this.#snapshot) URL.revokeObjectURL(this.#snapshot);
      this.#snapshot = URL.createObjectURL(blob);
      this.#drawing.showSnapshot(this.#snapshot, view);
    } catch (error) {
      this.#drawing.showReason(sentence(problemOf(error).message));
    } finally {
      this.#renew.disabled = false;
    }
  }

  /** @param {Geometry} geometry */
  #take(geometry) {
    this.#version = geometry.version;
    this.#homography = geometry.homography;
    this.history = new History(shapesOf(geometry));
    this.#selected = null;
    this.#render();
  }

  /**
   * @param {string | null} text
   * @param {HTMLElement[]} actions
   */
  #say(text, ...actions) {
    this.#message.hidden = !text;
    this.#message.replaceChildren(...(text ? [el("p", null, text), ...actions] : []));
  }

  // -- changes

  /** @param {Shape["kind"]} tool */
  #toggle(tool) {
    this.#drawing.take(this.#drawing.tool === tool ? null : tool);
  }

  /**
   * @param {Shape["kind"]} kind
   * @param {Point[]} points
   */
  #add(kind, points) {
    this.#made += 1;
    const common = { key: `new/${this.#made}`, name: freeName(kind, this.history.value) };
    /** @type {Shape} */
    const shape =
      kind === "line"
        ? { ...common, kind, a: points[0], b: points[1], in_name: "in", out_name: "out" }
        : { ...common, kind, polygon: points, dwell_min_s: 3 };
    this.history.commit([...this.history.value, shape]);
    this.#selected = shape.key;
    this.#render();
    this.#panels.get(shape.key)?.focusName();
    announce(`${shape.name} is drawn.`);
  }

  /**
   * @param {Shape} shape
   * @param {string | null} reason
   */
  #change(shape, reason) {
    this.history.commit(
      this.history.value.map((one) => (one.key === shape.key ? shape : one)),
      reason,
    );
    this.#render();
  }

  /**
   * @param {string} key
   * @param {Change} change
   */
  #edit(key, change) {
    const shape = this.history.value.find((one) => one.key === key);
    if (shape) this.#change({ ...shape, ...change }, `edit/${key}/${Object.keys(change)}`);
  }

  /** @param {string} key */
  #turn(key) {
    const line = this.history.value.find((one) => one.key === key);
    if (line?.kind === "line") this.#change({ ...line, a: line.b, b: line.a }, null);
  }

  /** @param {string} key */
  #remove(key) {
    this.history.commit(this.history.value.filter((one) => one.key !== key));
    if (this.#selected === key) this.#selected = null;
    this.#render();
    this.#line.focus();
  }

  /** @param {string | null} key */
  #select(key) {
    this.#selected = key;
    this.#render();
  }

  /** @param {"undo" | "redo"} direction */
  #step(direction) {
    if (direction === "undo" && this.#drawing.undoPoint()) return;
    this.history[direction]();
    this.#render();
  }

  async #store(version = this.#version) {
    const bent = this.history.value.find((shape) => shape.kind === "zone" && crossesItself(shape.polygon));
    if (bent) {
      this.#select(bent.key);
      this.#say(`The sides of ${nameOf(bent)} cross each other. Move its corners until they do not.`);
      return;
    }
    this.#save.disabled = true;
    try {
      const saved = await call("put", "/api/v1/streams/{stream}/geometry", {
        path: { stream: this.#id },
        body: documentOf(this.history.value, this.#homography, version),
      });
      this.#take(saved);
      this.#say(null);
      announce("Saved. Counting goes on with it from the next frame.");
      setText(this.#save, "Saved");
    } catch (error) {
      const problem = problemOf(error);
      if (problem.status === 409) this.#conflict();
      else this.#explain(problem);
    } finally {
      this.#showTools();
    }
  }

  #conflict() {
    this.#say(
      "Somebody else has saved other lines or zones in the meantime. Yours are still here.",
      el("button", { type: "button", class: "button", onclick: () => this.load() }, "Load theirs, drop mine"),
      el("button", { type: "button", class: "button", onclick: () => this.#store(null) }, "Save mine over theirs"),
    );
  }

  /**
   * The API names parts by their place, such as zones[0].polygon; people know them by name.
   *
   * @param {Problem} problem
   */
  #explain(problem) {
    const found = /^(line|zone)s\[(\d+)\]/.exec(problem.message);
    const shape = found && this.history.value.filter((one) => one.kind === found[1])[Number(found[2])];
    if (shape) this.#select(shape.key);
    const text = shape ? problem.message.replace(found[0], nameOf(shape)) : problem.message;
    this.#say(`Not saved: ${text}`);
  }

  // -- page

  #render() {
    const shapes = this.history.value;
    this.#drawing.show(shapes, this.#selected);
    this.#none.hidden = shapes.length > 0;
    for (const [key, panel] of this.#panels)
      if (!shapes.some((shape) => shape.key === key)) {
        panel.element.remove();
        this.#panels.delete(key);
      }
    shapes.forEach((shape, place) => {
      let panel = this.#panels.get(shape.key);
      if (!panel) this.#panels.set(shape.key, (panel = this.#panel(shape.key, shape.kind)));
      if (this.#list.children[place] !== panel.element)
        this.#list.insertBefore(panel.element, this.#list.children[place] ?? null);
      panel.update(shape, shape.key === this.#selected);
    });
    this.#showTools();
  }

  #showTools() {
    const tool = this.#drawing.tool;
    this.#line.setAttribute("aria-pressed", String(tool === "line"));
    this.#zone.setAttribute("aria-pressed", String(tool === "zone"));
    this.#finish.hidden = !this.#drawing.canFinish;
    this.#undo.disabled = !this.history.canUndo && tool === null;
    this.#redo.disabled = !this.history.canRedo;
    this.#save.disabled = !this.history.changed;
    if (this.history.changed) setText(this.#save, "Save");
  }

  /**
   * @param {string} key
   * @param {Shape["kind"]} kind
   */
  #panel(key, kind) {
    return new ShapePanel(kind, {
      edited: (change) => this.#edit(key, change),
      settled: () => this.history.settle(),
      selected: () => this.#selected !== key && this.#select(key),
      turned: () => this.#turn(key),
      removed: () => this.#remove(key),
    });
  }
}
