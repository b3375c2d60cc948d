/** Registering a camera, or changing one: tried first, saved afterwards. */

/** @import { Kind, ProbeResult, SourceDefinition, StreamView } from "../../types/documents.js" */
/** @import { MakeView } from "../../types/views.js" */

import { call, problemOf } from "../lib/api.js";
import { announce, el, setText } from "../lib/dom.js";
import { sourceTypes } from "../lib/kinds.js";
import { mistakeInId } from "../lib/names.js";
import { title } from "../lib/status.js";
import { findStream, refresh, streams } from "../lib/streams.js";
import { choice, field, followName } from "../widgets/fields.js";
import { FormProblems } from "../widgets/form-problems.js";
import { KindForm } from "../widgets/kind-form.js";
import { showLoaded } from "../widgets/loading.js";
import { found, notice, refused } from "../widgets/probe.js";

const PROBE_S = 2;
const STREAM = "/api/v1/streams/{stream}";

/** @type {MakeView} */
export function addView(host, { query }) {
  return formView(host, "Add a camera", null, query.get("type"));
}

/** @type {MakeView} */
export function settingsView(host, { id }) {
  return formView(host, "Camera settings", id, null);
}

/**
 * The form, as soon as the service has told what it is made of.
 *
 * @param {HTMLElement} host
 * @param {string} name of the page
 * @param {string | null} id of the camera that is changed; null for a new one
 * @param {string | null} type of source that is asked for
 */
function formView(host, name, id, type) {
  const heading = el("h1", { tabindex: "-1" }, name);
  const back = id === null ? "#/" : `#/cameras/${encodeURIComponent(id)}`;
  const link = el("a", { class: "back", href: back }, id === null ? "All cameras" : "Back to the camera");
  const body = el("div");
  host.append(
    el("div", { class: "register" }, el("div", { class: "view-head" }, el("div", null, link, heading)), body),
  );
  /** @type {CameraForm | null} */
  let form = null;
  let left = false;

  showLoaded(body, "Asking the service what it can take pictures from…", async () => {
    const known = id === null ? null : call("get", STREAM, { path: { stream: id } });
    const [kinds, view] = await Promise.all([sourceTypes(), known]);
    if (left) return null;
    if (view) setText(heading, `Settings: ${title(view)}`);
    form = new CameraForm(kinds, view, view ? String(view.source.type) : type);
    return form.element;
  });
  return {
    title: name,
    destroy() {
      left = true;
      form?.destroy();
    },
  };
}

class CameraForm {
  #kinds;
  #known;
  #problems;
  #type = "";
  /** @type {KindForm<SourceDefinition> | null} null for a kind that the service does not know any more */
  #source = null;
  /** @type {ProbeResult | null} */
  #tried = null;
  #abort = new AbortController();
  #name = el("input", { maxlength: "200", autocomplete: "off" });
  #id = el("input", { maxlength: "64", autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  #site = el("input", { maxlength: "200", autocomplete: "off" });
  #fps = el("input", { type: "number", min: "1", max: "120", step: "any", value: "6" });
  #nameBox = field("Name", this.#name, { name: "name", hint: "What people call it, such as “Entrance”." });
  #idBox = field("Id", this.#id, { name: "id", hint: "In addresses and reports; it cannot be changed later." });
  #siteBox = field("Site", this.#site, { name: "site", hint: "Optional: shop, plant or floor." });
  #fpsBox = field("Frames to analyse a second", this.#fps, {
    name: "analysis_fps",
    hint: "6 is enough to count people who walk. Empty: every frame.",
  });
  #about = el("p", { class: "hint" });
  #sourceHost = el("div", { class: "fields" });
  #result = el("section", { class: "probe", "aria-live": "polite" });
  #try = el("button", { type: "button", class: "button", id: "probe", onclick: () => this.#probe() }, "Try the camera");
  #save = el("button", { class: "button primary", id: "save-camera" }, "Save");

  /**
   * @param {Kind[]} kinds
   * @param {StreamView | null} known the camera that is changed
   * @param {string | null} type of source to begin with
   */
  constructor(kinds, known, type) {
    this.#kinds = kinds;
    this.#known = known;
    const begin = known || kinds.some((kind) => kind.type === type) ? (type ?? "") : (kinds[0]?.type ?? "");
    /** @type {[string, string][]} */
    const choices = kinds.map((kind) => [kind.type, kind.title]);
    this.element = el("form", {
      class: "register-body",
      novalidate: true,
      onsubmit: (event) => this.#submit(event),
    });
    this.#problems = new FormProblems(this.element, (path) => this.#source?.ours(path) ?? path);
    this.element.append(
      el(
        "section",
        { class: "panel" },
        el("h2", null, "Where the pictures come from"),
        choice("Kind of source", choices, begin, (key) => this.#useType(key)),
        this.#about,
        this.#sourceHost,
        el("div", { class: "actions" }, this.#try),
      ),
      this.#result,
      el(
        "section",
        { class: "panel" },
        el("h2", null, "The camera"),
        el("div", { class: "fields two" }, this.#nameBox, known ? null : this.#idBox, this.#siteBox, this.#fpsBox),
        this.#problems.element,
        el("div", { class: "actions" }, this.#save),
      ),
    );
    if (known) this.#fillIn(known);
    followName(this.#name, this.#id);
    this.#useType(begin);
  }

  destroy() {
    this.#abort.abort();
  }

  /** @param {StreamView} view */
  #fillIn(view) {
    this.#name.value = view.name;
    this.#site.value = view.site;
    this.#fps.value = String(view.analysis_fps ?? "");
  }

  /** @param {string} type */
  #useType(type) {
    this.#type = type;
    const known = this.#known?.source.type === type ? this.#known.source : null;
    const kind = this.#kinds.find((one) => one.type === type);
    this.#source = kind ? new KindForm("source", kind, known) : null;
    this.#source?.element.addEventListener("input", () => this.#forget());
    this.#sourceHost.replaceChildren(...(this.#source ? [this.#source.element] : []));
    setText(this.#about, kind ? kind.description : `This service has no sources of the kind “${type}”.`);
    this.#forget();
  }

  /** Whether the source is the one that is saved already, password included. */
  get #sourceKept() {
    return this.#known?.source.type === this.#type && !this.#source?.changed;
  }

  /** What was tried is not what the form says any more. */
  #forget() {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#tried = null;
    const hidden = Boolean(this.#source?.hidden);
    this.#try.disabled = hidden || this.#source === null;
    setText(this.#try, "Try the camera");
    const [heading, text] = hidden
      ? ["The password is hidden", "It is kept when you save. To try the camera from here, type it again."]
      : this.#sourceKept
        ? ["The source is unchanged", "It need not be tried again."]
        : ["Not tried yet", "Trying it shows a picture here, its size and its real frame rate. Nothing is saved."];
    this.#result.replaceChildren(notice(heading, text));
    this.#showSave();
  }

  #showSave() {
    const ready = Boolean(this.#tried?.ok || this.#sourceKept || this.#source?.hidden);
    this.#save.className = ready ? "button primary" : "button";
    this.#try.className = ready ? "button" : "button primary";
    this.#save.disabled = !ready && !this.#tried;
    setText(this.#save, ready ? "Save" : this.#tried ? "Save all the same" : "Save");
  }

  // -- trying

  async #probe() {
    const source = this.#source;
    this.#problems.clear();
    if (!source || !this.#problems.check(source.mistakes())) return;
    const { signal } = this.#abort;
    this.#try.disabled = true;
    setText(this.#try, "Trying…");
    this.#result.replaceChildren(notice("Opening the source…", "This takes a few seconds."));
    try {
      const body = { source: source.value(), seconds: PROBE_S };
      const result = await call("post", "/api/v1/streams/probe", { body, signal });
      this.#tried = result;
      this.#result.replaceChildren(...(result.ok ? found(result) : refused(result)));
    } catch (error) {
      if (signal.aborted) return;
      this.#forget();
      this.#problems.explain(problemOf(error));
    }
    this.#try.disabled = false;
    setText(this.#try, "Try again");
    this.#showSave();
  }

  // -- saving

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    this.#problems.clear();
    if (this.#save.disabled) {
      await this.#probe();
      return;
    }
    const id = this.#known?.id ?? this.#id.value.trim();
    if (!this.#problems.check([...(this.#source?.mistakes() ?? []), ...this.#mistakes(id)])) return;
    this.#save.disabled = true;
    try {
      await this.#store(id);
      await refresh();
      announce("Saved.");
      location.hash = `#/cameras/${encodeURIComponent(id)}`;
    } catch (error) {
      this.#problems.explain(problemOf(error));
      this.#showSave();
    }
  }

  /** @param {string} id */
  async #store(id) {
    const path = { stream: id };
    const common = {
      name: this.#name.value.trim(),
      site: this.#site.value.trim(),
      analysis_fps: this.#fps.value === "" ? null : this.#fps.valueAsNumber,
    };
    const source = this.#source?.value();
    if (this.#known) await call("patch", STREAM, { path, body: this.#sourceKept ? common : { ...common, source } });
    else if (source) await call("put", STREAM, { path, body: { ...common, source, enabled: true } });
  }

  /**
   * Pairs of a field's name and what is wrong with it, as far as that is known before asking.
   *
   * @param {string} id
   */
  #mistakes(id) {
    /** @type {[string, string][]} */
    const wrong = [];
    const taken = findStream(id);
    if (!this.#known) {
      const mistake = mistakeInId(id);
      if (mistake) wrong.push(["id", mistake]);
      else if (taken) wrong.push(["id", `There is a camera with this id already: ${title(taken)}.`]);
      else if (!streams.list) wrong.push(["id", "The service has not told yet which ids are taken."]);
    }
    if (!this.#fps.checkValidity()) wrong.push(["analysis_fps", "Between 1 and 120, or empty."]);
    return wrong;
  }
}
