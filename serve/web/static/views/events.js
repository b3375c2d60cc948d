/** What happens in front of all cameras, as it happens. */

/** @import { ServiceEvent } from "../../types/documents.js" */
/** @import { MakeView } from "../../types/views.js" */

import { call, problemOf } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { EventStream } from "../lib/event-stream.js";
import { eventText, isTrouble, KINDS } from "../lib/event-text.js";
import { title } from "../lib/status.js";
import { findStream } from "../lib/streams.js";
import { moment } from "../lib/times.js";

const LATELY_S = 600;
const MOST = 300;

/** @param {ServiceEvent} event */
function row(event) {
  const stream = findStream(event.stream);
  return el(
    "tr",
    { dataset: { type: event.type }, class: isTrouble(event) ? "trouble" : "calm" },
    el("td", null, moment(Date.parse(event.time))),
    el(
      "td",
      null,
      el("a", { href: `#/cameras/${encodeURIComponent(event.stream)}` }, stream ? title(stream) : event.stream),
    ),
    el("td", null, eventText(event)),
  );
}

/** @type {MakeView} */
export function eventsView(host) {
  const kinds = el(
    "select",
    { "aria-label": "Which events" },
    el("option", { value: "" }, "All events"),
    ...Object.entries(KINDS).map(([kind, words]) => el("option", { value: kind }, words)),
  );
  const state = el("p", { class: "muted", role: "status" }, "Connecting…");
  const rows = el("tbody");
  const table = el(
    "table",
    { class: "events" },
    el("thead", null, el("tr", null, el("th", null, "Time"), el("th", null, "Camera"), el("th", null, "What"))),
    rows,
  );
  const none = el(
    "p",
    { class: "muted" },
    "Nothing so far. Draw lines and zones on a camera, and its people show up here.",
  );
  host.append(
    el(
      "div",
      { class: "view-head" },
      el("div", null, el("h1", { tabindex: "-1" }, "Events"), state),
      el("div", { class: "tools" }, kinds),
    ),
    none,
    el("div", { class: "table-scroll" }, table),
  );
  /** @type {EventStream | null} */
  let stream = null;
  let asked = 0;

  /** @param {ServiceEvent} event */
  function add(event) {
    none.hidden = true;
    rows.prepend(row(event));
    while (rows.childElementCount > MOST) rows.lastElementChild?.remove();
  }

  async function follow() {
    const mine = ++asked;
    stream?.close();
    rows.replaceChildren();
    none.hidden = false;
    // Asked first, because it can ask for the token, and says what is wrong.
    try {
      await call("get", "/api/v1/events/history", { query: { limit: 1 } });
    } catch (error) {
      setText(state, problemOf(error).message);
    }
    if (mine !== asked) return; // somebody has chosen again, or left
    const address = new URL("api/v1/events", document.baseURI);
    address.searchParams.set("since", String(Date.now() / 1000 - LATELY_S));
    if (kinds.value) address.searchParams.set("type", kinds.value);
    stream = new EventStream(
      address,
      ({ event, data }) => {
        if (event === "message") add(JSON.parse(data));
      },
      (connected) => setText(state, connected ? "Live, with those of the last ten minutes" : "Cut off; trying again…"),
    );
    await stream.run();
  }

  kinds.addEventListener("change", follow);
  follow();
  return {
    title: "Events",
    destroy() {
      asked += 1;
      stream?.close();
    },
  };
}
