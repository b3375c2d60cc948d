/** Making a sink, or changing one. */

/** @import { Kind, SinkBody, SinkTarget, SinkView } from "../../types/documents.js" */
/** @import { MakeView } from "../../types/views.js" */

import { call, fetchTagged, problemOf } from "../lib/api.js";
import { announce, el, freshId, setText } from "../lib/dom.js";
import { sinkTypes } from "../lib/kinds.js";
import { mistakeInId } from "../lib/names.js";
import { completions, listOf, listText, mistakeInStreams, typesOffered } from "../lib/sinks.js";
import { title } from "../lib/status.js";
import { findStream, streams } from "../lib/streams.js";
import { choice, field, followName, tick, ticks } from "../widgets/fields.js";
import { FormProblems } from "../widgets/form-problems.js";
import { KindForm } from "../widgets/kind-form.js";
import { showLoaded } from "../widgets/loading.js";

const SINK = "/api/v1/sinks/{sink}";
const ALL = "#/sinks";

/** @typedef {{ view: SinkView, etag: string | null }} Known a sink that is changed, as it was read */

/** @type {MakeView} */
export function addSinkView(host) {
  return formView(host, "Add a sink", null);
}

/** @type {MakeView} */
export function sinkSettingsView(host, { id }) {
  return formView(host, "Sink settings", id);
}

/**
 * @param {HTMLElement} host
 * @param {string} name of the page
 * @param {string | null} id of the sink that is changed; null for a new one
 */
function formView(host, name, id) {
  const heading = el("h1", { tabindex: "-1" }, name);
  const body = el("div");
  const link = el("a", { class: "back", href: ALL }, "All sinks");
  host.append(
    el("div", { class: "register" }, el("div", { class: "view-head" }, el("div", null, link, heading)), body),
  );
  let left = false;

  function load() {
    return showLoaded(body, "Asking the service where it can send events…", async () => {
      const asked = id === null ? null : fetchTagged(SINK, { path: { sink: id } });
      const [kinds, found] = await Promise.all([sinkTypes(), asked]);
      if (left) return null;
      if (!found) return new SinkForm(kinds, null, reload).element;
      const view = found.document;
      setText(heading, `Settings: ${title(view)}`);
      return view.by_settings ? fixed() : new SinkForm(kinds, { view, etag: found.etag }, reload).element;
    });
  }

  async function reload() {
    await load();
    heading.focus();
  }

  load();
  return {
    title: name,
    destroy() {
      left = true;
    },
  };
}

/** What is said of a sink of the settings. */
function fixed() {
  return el(
    "div",
    { class: "message calm" },
    el("p", null, "This sink stands in the settings of the service (events.sinks). It can only be changed there."),
  );
}

class SinkForm {
  #kinds;
  #known;
  #reload;
  #problems;
  /** @type {KindForm<SinkTarget> | null} null for a kind that the service does not know any more */
  #target = null;
  #name = el("input", { maxlength: "200", autocomplete: "off" });
  #id = el("input", { maxlength: "64", autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  #enabled = el("input", { type: "checkbox", checked: true });
  #types;
  #streams;
  #sites;
  #about = el("p", { class: "hint" });
  #targetHost = el("div", { class: "fields" });
  #save = el("button", { class: "button primary" }, "Save");

  /**
   * @param {Kind[]} kinds
   * @param {Known | null} known
   * @param {() => void} reload begins anew with what is there now
   */
  constructor(kinds, known, reload) {
    const view = known?.view ?? null;
    this.#kinds = kinds;
    this.#known = known;
    this.#reload = reload;
    this.#types = ticks("Kinds of events", typesOffered(view?.types ?? []), view?.types ?? [], {
      name: "types",
      hint: "None ticked: all of them.",
    });
    this.#streams = listField("Cameras", view?.streams ?? [], knownStreams, {
      name: "streams",
      hint: "Their ids, separated by commas. Empty: all of them.",
    });
    this.#sites = listField("Sites", view?.sites ?? [], knownSites, {
      name: "sites",
      hint: "Separated by commas; one with a comma in double quotes. Empty: all of them.",
    });
    const begin = view ? String(view.target.type) : ((kinds.find(isUsual) ?? kinds[0])?.type ?? "");
    /** @type {[string, string][]} */
    const choices = kinds.map((kind) => [kind.type, kind.title]);
    this.element = el("form", { class: "sink-form", novalidate: true, onsubmit: (event) => this.#submit(event) });
    this.#problems = new FormProblems(this.element, (path) => this.#target?.ours(path) ?? path);
    this.element.append(
      el(
        "section",
        { class: "panel" },
        el("h2", null, "Where events go"),
        choice("Kind of sink", choices, begin, (key) => this.#useType(key)),
        this.#about,
        this.#targetHost,
      ),
      el(
        "section",
        { class: "panel" },
        el("h2", null, "Which events go there"),
        el("div", { class: "fields" }, this.#types.element, this.#streams.element, this.#sites.element),
      ),
      el(
        "section",
        { class: "panel" },
        el("h2", null, "The sink"),
        el(
          "div",
          { class: "fields two" },
          field("Name", this.#name, { name: "name", hint: "What people call it, such as “Light over the till”." }),
          view ? null : field("Id", this.#id, { name: "id", hint: "In addresses; it cannot be changed later." }),
        ),
        tick("Switched on", this.#enabled, {
          name: "enabled",
          hint: "While it is off, events wait for it, for as long as they are kept.",
        }),
        this.#problems.element,
        el("div", { class: "actions" }, this.#save, el("a", { class: "button", href: ALL }, "Cancel")),
      ),
    );
    if (view) {
      this.#name.value = view.name;
      this.#enabled.checked = view.enabled;
    }
    followName(this.#name, this.#id);
    this.#useType(begin);
  }

  /** @param {string} type */
  #useType(type) {
    const target = this.#known?.view.target;
    const kind = this.#kinds.find((one) => one.type === type);
    this.#target = kind ? new KindForm("target", kind, target?.type === type ? target : null) : null;
    this.#targetHost.replaceChildren(...(this.#target ? [this.#target.element] : []));
    setText(this.#about, kind ? kind.description : `This service has no sinks of the kind “${type}”.`);
    this.#save.disabled = !kind;
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    this.#problems.clear();
    const target = this.#target;
    const id = this.#known?.view.id ?? this.#id.value.trim();
    if (!target || !this.#problems.check([...target.mistakes(), ...this.#mistakes(id)])) return;
    this.#save.disabled = true;
    try {
      await call("put", SINK, {
        path: { sink: id },
        header: this.#known ? { "if-match": this.#known.etag ?? "*" } : { "if-none-match": "*" },
        body: {
          name: this.#name.value.trim(),
          enabled: this.#enabled.checked,
          types: /** @type {SinkBody["types"]} */ (this.#types.chosen()),
          streams: this.#streams.list(),
          sites: this.#sites.list(),
          target: target.value(),
        },
      });
      announce("Saved.");
      location.hash = ALL;
    } catch (error) {
      const problem = problemOf(error);
      if (problem.status !== 412) this.#problems.explain(problem);
      else if (this.#known) this.#overtaken();
      else this.#problems.check([["id", "There is a sink with this id already."]]);
      this.#save.disabled = false;
    }
  }

  /**
   * @param {string} id
   * @returns {[string, string][]}
   */
  #mistakes(id) {
    const wrong = [
      ["id", this.#known ? null : mistakeInId(id)],
      ["streams", mistakeInStreams(this.#streams.list())],
    ];
    return /** @type {[string, string][]} */ (wrong.filter(([, mistake]) => mistake !== null));
  }

  #overtaken() {
    this.#problems.say(
      el("p", null, "Somebody else has changed this sink since you opened it. Nothing is saved."),
      el(
        "div",
        { class: "actions" },
        el("button", { type: "button", class: "button", onclick: () => this.#reload() }, "Load theirs"),
      ),
    );
  }
}

/** @param {Kind} kind what a form begins with */
function isUsual({ type }) {
  return type === "webhook";
}

/**
 * A field for several names, which are offered as they are typed.
 *
 * @param {string} label
 * @param {string[]} initial
 * @param {() => string[]} known
 * @param {{ hint: string, name: string }} more
 */
function listField(label, initial, known, more) {
  const id = freshId("known");
  const offered = el("datalist", { id });
  const input = el("input", {
    value: listText(initial),
    list: id,
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    onfocus: offer,
    oninput: offer,
  });
  function offer() {
    offered.replaceChildren(...completions(input.value, known()).map((value) => el("option", { value }, words(value))));
  }
  const element = field(label, input, more);
  element.append(offered);
  return { element, list: () => listOf(input.value) };
}

/** @param {string} text a list, of which the last one is new */
function words(text) {
  const stream = findStream(listOf(text).at(-1) ?? "");
  return stream ? title(stream) : "";
}

function knownStreams() {
  return (streams.list ?? []).map((view) => view.id);
}

function knownSites() {
  return [...new Set((streams.list ?? []).map((view) => view.site).filter(Boolean))].sort();
}
