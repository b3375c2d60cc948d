/** The shell: which view is shown, how the service is as a whole, and what has changed. */

import { useTokenPrompt } from "./lib/api.js";
import { announce, el, setText } from "./lib/dom.js";
import { sentence, stateWord, title } from "./lib/status.js";
import { start, streams, subscribe } from "./lib/streams.js";
import { cameraView } from "./views/camera.js";
import { camerasView } from "./views/cameras.js";
import { editorView } from "./views/editor.js";
import { addView, settingsView } from "./views/register.js";
import { askToken } from "./widgets/dialogs.js";

const ROUTES = [
  [/^\/?$/, camerasView],
  [/^\/add$/, addView],
  [/^\/cameras\/([^/]+)$/, cameraView],
  [/^\/cameras\/([^/]+)\/draw$/, editorView],
  [/^\/cameras\/([^/]+)\/settings$/, settingsView],
];
const main = document.getElementById("main");
let view = null;
let shown = null;
let first = true;

function parse() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  for (const [pattern, make] of ROUTES) {
    const match = pattern.exec(path);
    if (match) return { path, make, id: match[1] && decodeURIComponent(match[1]), query: new URLSearchParams(query) };
  }
  return { path, make: unknownView };
}

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
  shown = route.path;
  view = route.make(host, route);
  document.title = `${view.title} – Footfall`;
  window.scrollTo(0, 0);
  if (!first) (host.querySelector("h1") ?? main).focus({ preventScroll: true });
  first = false;
}

const summary = document.getElementById("summary");
const banner = document.getElementById("banner");
let states = null;

function summarise() {
  const { list, problem } = streams;
  banner.hidden = !problem;
  if (problem) setText(banner, `${problem.message} What you see may be old; trying again.`);
  if (!list) return;
  const count = (state) => list.filter((stream) => stream.state === state).length;
  const troubled = ["reconnecting", "failed", "starting", "stopped"]
    .map((state) => [count(state), state])
    .filter(([number]) => number > 0)
    .map(([number, state]) => `${number} ${state}`);
  const all = list.length === 1 ? "1 camera" : `${list.length} cameras`;
  setText(summary, list.length ? [all, `${count("running")} running`, ...troubled].join(" · ") : "");
  tellChanges(list);
}

function tellChanges(list) {
  const now = new Map(list.map((stream) => [stream.id, stream.state]));
  if (states) {
    const changes = list
      .filter((stream) => states.has(stream.id) && states.get(stream.id) !== stream.state)
      .map((s) => `${title(s)}: ${stateWord(s)}${s.error ? `. ${sentence(s.error)}` : ""}`);
    if (changes.length) announce(changes.join("; "));
  }
  states = now;
}

window.addEventListener("hashchange", show);
window.addEventListener("beforeunload", (event) => {
  if (view?.unsaved?.()) event.preventDefault();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
useTokenPrompt(askToken);
subscribe(summarise);
show();
start();
