/** The shell: which view is shown, how the service is as a whole, and what has changed. */

/** @import { StreamView } from "../types/documents.js" */
/** @import { MakeView, Route, View } from "../types/views.js" */

import { useTokenPrompt } from "./lib/api.js";
import { announce, byId, el, first, setText } from "./lib/dom.js";
import { sentence, stateWord, title } from "./lib/status.js";
import { start, streams, subscribe } from "./lib/streams.js";
import { cameraHealthView } from "./views/camera-health.js";
import { cameraView } from "./views/camera.js";
import { camerasView } from "./views/cameras.js";
import { deadLettersView } from "./views/dead-letters.js";
import { editorView } from "./views/editor.js";
import { eventsView } from "./views/events.js";
import { healthView } from "./views/health.js";
import { addView, settingsView } from "./views/register.js";
import { addSinkView, sinkSettingsView } from "./views/sink-form.js";
import { sinksView } from "./views/sinks.js";
import { askToken } from "./widgets/dialogs.js";

/** @type {[RegExp, MakeView][]} */
const ROUTES = [
  [/^\/?$/, camerasView],
  [/^\/add$/, addView],
  [/^\/events$/, eventsView],
  [/^\/health$/, healthView],
  [/^\/cameras\/([^/]+)$/, cameraView],
  [/^\/cameras\/([^/]+)\/draw$/, editorView],
  [/^\/cameras\/([^/]+)\/health$/, cameraHealthView],
  [/^\/cameras\/([^/]+)\/settings$/, settingsView],
  [/^\/sinks$/, sinksView],
  [/^\/sinks\/add$/, addSinkView],
  [/^\/sinks\/([^/]+)\/settings$/, sinkSettingsView],
  [/^\/sinks\/([^/]+)\/dead-letters$/, deadLettersView],
];
const main = byId("main");
/** @type {View | null} */
let view = null;
/** @type {string | null} */
let shown = null;

/** @returns {Route & { make: MakeView }} */
function parse() {
  const [path, search] = location.hash.replace(/^#/, "").split("?");
  const query = new URLSearchParams(search);
  for (const [pattern, make] of ROUTES) {
    const match = pattern.exec(path);
    if (match) return { path, make, id: decodeURIComponent(match[1] ?? ""), query };
  }
  return { path, make: unknownView, id: "", query };
}

/** @type {MakeView} */
function unknownView(host) {
  host.append(
    el("h1", { tabindex: "-1" }, "There is no such page"),
    el("p", null, el("a", { href: "#/" }, "All cameras")),
  );
  return { title: "Not found", destroy() {} };
}

function show() {
  const route = parse();
  if (route.path === shown) return; // only the query has changed, by the view itself
  if (view?.unsaved?.() && !window.confirm("What you have drawn is not saved. Leave it?")) {
    history.replaceState(null, "", `#${shown}`);
    return;
  }
  view?.destroy();
  main.replaceChildren();
  const host = el("div", { class: "view" });
  main.append(host);
  const before = shown;
  shown = route.path;
  view = route.make(host, route);
  document.title = `${view.title} – Footfall`;
  window.scrollTo(0, 0);
  if (before !== null) (first(host, "h1") ?? main).focus({ preventScroll: true });
}

const summary = byId("summary");
const banner = byId("banner");
/** @type {Map<string, string> | null} */
let states = null;

function summarise() {
  const { list, problem } = streams;
  banner.hidden = !problem;
  if (problem) setText(banner, `${problem.message} What you see may be old; trying again.`);
  if (!list) return;
  /** @param {string} state */
  const count = (state) => list.filter((stream) => stream.state === state).length;
  const troubled = ["reconnecting", "failed", "starting", "stopped"]
    .filter((state) => count(state) > 0)
    .map((state) => `${count(state)} ${state}`);
  const all = list.length === 1 ? "1 camera" : `${list.length} cameras`;
  setText(summary, list.length ? [all, `${count("running")} running`, ...troubled].join(" · ") : "");
  tellChanges(list);
}

/** @param {StreamView[]} list */
function tellChanges(list) {
  const before = states;
  states = new Map(list.map((stream) => [stream.id, stream.state]));
  if (before) {
    const changes = list
      .filter((stream) => before.has(stream.id) && before.get(stream.id) !== stream.state)
      .map((s) => `${title(s)}: ${stateWord(s)}${s.error ? `. ${sentence(s.error)}` : ""}`);
    if (changes.length) announce(changes.join("; "));
  }
}

window.addEventListener("hashchange", show);
window.addEventListener("beforeunload", (event) => {
  if (view?.unsaved?.()) event.preventDefault();
});
first(document, ".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
useTokenPrompt(askToken);
subscribe(summarise);
show();
start();
