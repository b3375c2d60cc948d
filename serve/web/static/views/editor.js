/** Lines and zones of one camera: drawn on a snapshot, named, saved with their version. */

import { call, streamPath } from "../lib/api.js";
import { announce, el, setText } from "../lib/dom.js";
import { crossesItself } from "../lib/geometry.js";
import { History } from "../lib/history.js";
import { documentOf, freeName, shapesOf } from "../lib/shapes.js";
import { sentence, stateWord, title } from "../lib/status.js";
import { Drawing } from "../widgets/drawing.js";
import { field, setFieldError } from "../widgets/fields.js";

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
  history = new History([]);
  #id;
  #version = null;
  #homography = null;
  #selected = null;
  #made = 0;
  #snapshot = null;
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
  #onkey = (event) => {
    const typing = event.target.matches?.("input, textarea, select");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !typing) {
      event.preventDefault();
      this.#step(event.shiftKey ? "redo" : "undo");
    }
  };

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
      const view = await call("GET", streamPath(this.#id));
      this.view = view;
      setText(this.#heading, `Lines and zones: ${title(view)}`);
      this.#take(view.geometry);
      this.#say(null);
      await this.#loadSnapshot();
    } catch (problem) {
      this.#say(sentence(problem.message));
    }
  }

  async #loadSnapshot() {
    if (this.view.state !== "running") {
      const reason = this.view.error ? `: ${this.view.error}` : "";
      this.#drawing.showReason(
        `No snapshot, because the camera is not running (${stateWord(this.view).toLowerCase()}${reason}).`,
      );
      return;
    }
    this.#renew.disabled = true;
    try {
      const blob = await call("GET", streamPath(this.#id, "/snapshot.jpg"), { as: "blob" });
      if (this.#snapshot) URL.revokeObjectURL(this.#snapshot);
      this.#snapshot = URL.createObjectURL(blob);
      this.#drawing.showSnapshot(this.#snapshot, this.view);
    } catch (problem) {
      this.#drawing.showReason(sentence(problem.message));
    } finally {
      this.#renew.disabled = false;
    }
  }

  #take(geometry) {
    this.#version = geometry.version;
    this.#homography = geometry.homography;
    this.history = new History(shapesOf(geometry));
    this.#selected = null;
    this.#render();
  }

  #say(text, ...actions) {
    this.#message.hidden = !text;
    this.#message.replaceChildren(...(text ? [el("p", null, text), ...actions] : []));
  }

  // -- changes

  #toggle(tool) {
    this.#drawing.take(this.#drawing.tool === tool ? null : tool);
  }

  #add(kind, points) {
    this.#made += 1;
    const shape = { kind, key: `new/${this.#made}`, name: freeName(kind, this.history.value) };
    if (kind === "line") Object.assign(shape, { a: points[0], b: points[1], in_name: "in", out_name: "out" });
    else Object.assign(shape, { polygon: points, dwell_min_s: 3 });
    this.history.commit([...this.history.value, shape]);
    this.#selected = shape.key;
    this.#render();
    const name = this.#panels.get(shape.key).element.querySelector("input");
    name.focus({ preventScroll: true });
    name.select();
    announce(`${shape.name} is drawn.`);
  }

  #change(shape, reason) {
    this.history.commit(
      this.history.value.map((one) => (one.key === shape.key ? shape : one)),
      reason,
    );
    this.#render();
  }

  #edit(key, change) {
    const shape = this.history.value.find((one) => one.key === key);
    this.#change({ ...shape, ...change }, `edit/${key}/${Object.keys(change)}`);
  }

  #remove(key) {
    this.history.commit(this.history.value.filter((one) => one.key !== key));
    if (this.#selected === key) this.#selected = null;
    this.#render();
    this.#line.focus();
  }

  #select(key) {
    this.#selected = key;
    this.#render();
  }

  #step(direction) {
    if (direction === "undo" && this.#drawing.undoPoint()) return;
    this.history[direction]();
    this.#render();
  }

  async #store(version = this.#version) {
    const bent = this.history.value.find((shape) => shape.kind === "zone" && crossesItself(shape.polygon));
    if (bent) {
      this.#select(bent.key);
      this.#say(`The sides of ${bent.name || bent.id} cross each other. Move its corners until they do not.`);
      return;
    }
    this.#save.disabled = true;
    try {
      const saved = await call("PUT", streamPath(this.#id, "/geometry"), {
        body: documentOf(this.history.value, this.#homography, version),
      });
      this.#take(saved);
      this.#say(null);
      announce("Saved. Counting goes on with it from the next frame.");
      setText(this.#save, "Saved");
    } catch (problem) {
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

  /** The API names parts by their place, such as zones[0].polygon; people know them by name. */
  #explain(problem) {
    const found = /^(line|zone)s\[(\d+)\]/.exec(problem.message);
    const shape = found && this.history.value.filter((one) => one.kind === found[1])[Number(found[2])];
    if (shape) this.#select(shape.key);
    const text = shape ? problem.message.replace(found[0], shape.name || shape.id) : problem.message;
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
      if (!panel) this.#panels.set(shape.key, (panel = this.#panel(shape)));
      if (this.#list.children[place] !== panel.element)
        this.#list.insertBefore(panel.element, this.#list.children[place] ?? null);
      panel.update(shape, shape.key === this.#selected);
    });
    this.#showTools();
  }

  #showTools() {
    const tool = this.#drawing?.tool ?? null;
    this.#line.setAttribute("aria-pressed", String(tool === "line"));
    this.#zone.setAttribute("aria-pressed", String(tool === "zone"));
    this.#finish.hidden = !this.#drawing?.canFinish;
    this.#undo.disabled = !this.history.canUndo && tool === null;
    this.#redo.disabled = !this.history.canRedo;
    this.#save.disabled = !this.history.changed;
    if (this.history.changed) setText(this.#save, "Save");
  }

  #panel(shape) {
    return shape.kind === "line" ? this.#linePanel(shape.key) : this.#zonePanel(shape.key);
  }

  #input(key, property, props) {
    return el("input", {
      maxlength: "200",
      ...props,
      onfocus: () => this.#selected !== key && this.#select(key),
      oninput: (event) => this.#edit(key, { [property]: event.target.value }),
      onchange: () => this.history.settle(),
    });
  }

  #linePanel(key) {
    const name = this.#input(key, "name");
    const inward = this.#input(key, "in_name");
    const outward = this.#input(key, "out_name");
    const swap = el(
      "button",
      {
        type: "button",
        class: "button quiet",
        onclick: () => {
          const line = this.history.value.find((one) => one.key === key);
          this.#change({ ...line, a: line.b, b: line.a }, null);
        },
      },
      "Turn the arrow",
    );
    const fields = [
      field("Name", name),
      el("div", { class: "pair" }, field("With the arrow", inward), field("Against it", outward)),
    ];
    return this.#frame(key, "Line", fields, [swap], (line) => {
      show(name, line.name);
      show(inward, line.in_name);
      show(outward, line.out_name);
    });
  }

  #zonePanel(key) {
    const name = this.#input(key, "name");
    const dwell = el("input", {
      type: "number",
      min: "0",
      max: "3600",
      step: "0.5",
      required: true,
      onchange: () => this.history.settle(),
      oninput: () => {
        const valid = dwell.checkValidity();
        setFieldError(box, valid ? null : "0 to 3600 seconds, in steps of half a second.");
        if (valid) this.#edit(key, { dwell_min_s: dwell.valueAsNumber });
      },
    });
    const box = field("A stay counts after (seconds)", dwell);
    return this.#frame(key, "Zone", [field("Name", name), box], [], (zone) => {
      show(name, zone.name);
      show(dwell, String(zone.dwell_min_s));
    });
  }

  #frame(key, word, fields, actions, fill) {
    const id = el("span", { class: "muted" });
    const remove = el(
      "button",
      { type: "button", class: "button quiet danger-text", onclick: () => this.#remove(key) },
      "Delete",
    );
    const element = el(
      "li",
      {
        class: "shape-panel",
        dataset: { kind: word.toLowerCase() },
        onclick: () => this.#selected !== key && this.#select(key),
      },
      el("div", { class: "shape-head" }, el("span", { class: "shape-kind" }, word), id),
      fields,
      el("div", { class: "actions" }, actions, remove),
    );
    const update = (shape, active) => {
      element.classList.toggle("active", active);
      setText(id, shape.id ? `in reports: ${shape.id}` : "new");
      remove.setAttribute("aria-label", `Delete ${shape.name || shape.id}`);
      fill(shape);
    };
    return { element, update };
  }
}

/** The field that is being typed in keeps what was typed. */
function show(input, value) {
  if (input.value !== value && (input !== document.activeElement || input.type !== "number")) input.value = value;
}
