/** Registering a camera, or changing one: tried first, saved afterwards. */

import { call, streamPath } from "../lib/api.js";
import { announce, el, setText } from "../lib/dom.js";
import { slug } from "../lib/names.js";
import { sentence, title } from "../lib/status.js";
import { find, refresh, streams } from "../lib/streams.js";
import { choice, field, setFieldError } from "../widgets/fields.js";
import { found, notice, refused } from "../widgets/probe.js";
import { SOURCES, sourceForm } from "../widgets/sources.js";

export function addView(host, { query }) {
  const form = new CameraForm(null, query.get("type") ?? "rtsp");
  host.append(form.element);
  return { title: "Add a camera", destroy: () => form.destroy() };
}

export function settingsView(host, { id }) {
  let form = null;
  let left = false;
  call("GET", streamPath(id))
    .then((view) => {
      if (left) return;
      form = new CameraForm(view, view.source.type);
      host.append(form.element);
    })
    .catch((problem) =>
      host.append(
        el("h1", { tabindex: "-1" }, "Settings"),
        el("p", { class: "message", role: "alert" }, problem.message),
      ),
    );
  return {
    title: "Camera settings",
    destroy() {
      left = true;
      form?.destroy();
    },
  };
}

class CameraForm {
  #known;
  #type;
  #source = null;
  #tried = null;
  #idTyped = false;
  #abort = new AbortController();
  #name = el("input", { maxlength: "200", autocomplete: "off" });
  #id = el("input", { maxlength: "64", autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  #site = el("input", { maxlength: "200", autocomplete: "off" });
  #fps = el("input", { type: "number", min: "0.1", max: "120", step: "any", value: "6" });
  #nameBox = field("Name", this.#name, { name: "name", hint: "What people call it, such as “Entrance”." });
  #idBox = field("Id", this.#id, { name: "id", hint: "In addresses and reports; it cannot be changed later." });
  #siteBox = field("Site", this.#site, { name: "site", hint: "Optional: shop, plant or floor." });
  #fpsBox = field("Frames to analyse a second", this.#fps, {
    name: "analysis_fps",
    hint: "6 is enough to count people who walk. Empty: every frame.",
  });
  #sourceHost = el("div", { class: "fields" });
  #message = el("div", { class: "message", role: "alert", hidden: true });
  #result = el("section", { class: "probe", "aria-live": "polite" });
  #try = el("button", { type: "button", class: "button", id: "probe", onclick: () => this.#probe() }, "Try the camera");
  #save = el("button", { class: "button primary", id: "save-camera" }, "Save");

  constructor(known, type) {
    this.#known = known;
    this.#type = SOURCES.some(([key]) => key === type) ? type : "rtsp";
    const back = known ? `#/cameras/${encodeURIComponent(known.id)}` : "#/";
    this.element = el(
      "div",
      { class: "register" },
      el(
        "div",
        { class: "view-head" },
        el(
          "div",
          null,
          el("a", { class: "back", href: back }, known ? "Back to the camera" : "All cameras"),
          el("h1", { tabindex: "-1" }, known ? `Settings: ${title(known)}` : "Add a camera"),
        ),
      ),
      el(
        "form",
        { class: "register-body", novalidate: true, onsubmit: (event) => this.#submit(event) },
        el(
          "section",
          { class: "panel" },
          el("h2", null, "Where the pictures come from"),
          choice("Kind of source", SOURCES, this.#type, (key) => this.#useType(key)),
          this.#sourceHost,
          el("div", { class: "actions" }, this.#try),
        ),
        this.#result,
        el(
          "section",
          { class: "panel" },
          el("h2", null, "The camera"),
          el("div", { class: "fields two" }, this.#nameBox, known ? null : this.#idBox, this.#siteBox, this.#fpsBox),
          this.#message,
          el("div", { class: "actions" }, this.#save),
        ),
      ),
    );
    if (known) this.#fillIn(known);
    this.#name.addEventListener("input", () => {
      if (!this.#idTyped) this.#id.value = slug(this.#name.value);
    });
    this.#id.addEventListener("input", () => (this.#idTyped = this.#id.value !== ""));
    this.#useType(this.#type);
  }

  destroy() {
    this.#abort.abort();
  }

  #fillIn(view) {
    this.#name.value = view.name;
    this.#site.value = view.site;
    this.#fps.value = view.analysis_fps ?? "";
  }

  #useType(type) {
    this.#type = type;
    const known = this.#known?.source.type === type ? this.#known.source : null;
    this.#source = sourceForm(type, known);
    this.#sourceHost.replaceChildren(this.#source.element);
    this.#source.element.addEventListener("input", () => this.#forget());
    this.#forget();
  }

  /** Whether the source is the one that is saved already, password included. */
  get #sourceKept() {
    return this.#known !== null && this.#known.source.type === this.#type && !this.#source.changed;
  }

  /** What was tried is not what the form says any more. */
  #forget() {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#tried = null;
    this.#try.disabled = this.#source.hidden;
    setText(this.#try, "Try the camera");
    const [heading, text] = this.#source.hidden
      ? ["The password is hidden", "It is kept when you save. To try the camera from here, type it again."]
      : this.#sourceKept
        ? ["The source is unchanged", "It need not be tried again."]
        : ["Not tried yet", "Trying it shows a picture here, its size and its real frame rate. Nothing is saved."];
    this.#result.replaceChildren(notice(heading, text));
    this.#showSave();
  }

  #showSave() {
    const ready = this.#tried?.ok || this.#sourceKept || this.#source.hidden;
    this.#save.className = ready ? "button primary" : "button";
    this.#try.className = ready ? "button" : "button primary";
    this.#save.disabled = !ready && !this.#tried;
    setText(this.#save, ready ? "Save" : this.#tried ? "Save all the same" : "Save");
  }

  // -- trying

  async #probe() {
    this.#clearErrors();
    if (!this.#check(this.#source.missing())) return;
    const { signal } = this.#abort;
    this.#try.disabled = true;
    setText(this.#try, "Trying…");
    this.#result.replaceChildren(notice("Opening the source…", "This takes a few seconds."));
    try {
      const result = await call("POST", "streams/probe", { body: { source: this.#source.value() }, signal });
      this.#tried = result;
      this.#result.replaceChildren(...(result.ok ? found(result) : refused(result.error)));
    } catch (problem) {
      if (signal.aborted) return;
      this.#forget();
      this.#explain(problem);
    }
    this.#try.disabled = false;
    setText(this.#try, "Try again");
    this.#showSave();
  }

  // -- saving

  async #submit(event) {
    event.preventDefault();
    this.#clearErrors();
    if (this.#save.disabled) {
      await this.#probe();
      return;
    }
    const id = this.#known?.id ?? this.#id.value.trim();
    if (!this.#check([...this.#source.missing(), ...this.#missing(id)])) return;
    this.#save.disabled = true;
    try {
      if (this.#known) await call("PATCH", streamPath(id), { body: this.#changes() });
      else await call("PUT", streamPath(id), { body: { ...this.#common(), source: this.#source.value() } });
      await refresh();
      announce("Saved.");
      location.hash = `#/cameras/${encodeURIComponent(id)}`;
    } catch (problem) {
      this.#explain(problem);
      this.#showSave();
    }
  }

  #common() {
    return {
      name: this.#name.value.trim(),
      site: this.#site.value.trim(),
      analysis_fps: this.#fps.value === "" ? null : this.#fps.valueAsNumber,
    };
  }

  #changes() {
    return this.#sourceKept ? this.#common() : { ...this.#common(), source: this.#source.value() };
  }

  /** Pairs of a field's name and what is wrong with it, as far as that is known before asking. */
  #missing(id) {
    const wrong = [];
    if (!this.#known) {
      if (!id) wrong.push(["id", "An id is needed: letters, digits, “_”, “.” and “-”."]);
      else if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(id))
        wrong.push(["id", "Letters, digits, “_”, “.” and “-” only, and one of the first two at the beginning."]);
      else if (find(id)) wrong.push(["id", `There is a camera with this id already: ${title(find(id))}.`]);
      else if (!streams.list) wrong.push(["id", "The service has not told yet which ids are taken."]);
    }
    if (!this.#fps.checkValidity()) wrong.push(["analysis_fps", "Between 0.1 and 120, or empty."]);
    return wrong;
  }

  // -- errors

  #boxes() {
    return [...this.element.querySelectorAll("[data-field]")];
  }

  #clearErrors() {
    for (const box of this.#boxes()) setFieldError(box, null);
    this.#message.hidden = true;
  }

  #check(wrong) {
    for (const [name, message] of wrong) this.#place(name, message);
    this.element.querySelector("[aria-invalid]")?.focus();
    return wrong.length === 0;
  }

  #place(name, message) {
    const box = this.#boxes().find((one) => one.dataset.field === name);
    if (!box) return false;
    for (let fold = box.closest("details"); fold; fold = null) fold.open = true;
    setFieldError(box, message);
    return true;
  }

  /** What the API says, next to the fields that it names. */
  #explain(problem) {
    const left = problem.errors.filter(({ field: path, message }) => {
      const parts = path.split(".").filter((part) => !SOURCES.some(([key]) => key === part));
      return !this.#place(parts.join("."), sentence(message));
    });
    if (left.length || !problem.errors.length) {
      this.#message.hidden = false;
      const texts = problem.errors.length ? left.map((e) => `${e.field}: ${e.message}`) : [sentence(problem.message)];
      this.#message.replaceChildren(...texts.map((text) => el("p", null, text)));
    }
    this.element.querySelector("[aria-invalid]")?.focus();
  }
}
