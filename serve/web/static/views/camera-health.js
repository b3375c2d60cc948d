/** How one camera is: what is not as it was, since when, and how it went in the last hours. */

/** @import { Drift } from "../../types/documents.js" */
/** @import { MakeView } from "../../types/views.js" */

import { call, problemOf } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { Refresher } from "../lib/refresher.js";
import { sentence, title } from "../lib/status.js";
import { findStream, subscribe } from "../lib/streams.js";
import { duration, moment, percent } from "../lib/times.js";
import { confirm } from "../widgets/dialogs.js";
import { LivePicture } from "../widgets/live.js";
import { Outcome } from "../widgets/outcome.js";
import { PastAlerts } from "../widgets/past-alerts.js";
import { Badge, Figures } from "../widgets/state.js";
import { Trace } from "../widgets/trace.js";
import { ViewPictures } from "../widgets/view-pictures.js";

const INTERVAL_MS = 5000;
const HOURS = 4;
/** @type {Record<string, string>} */
const CAUSES = {
  moved: "Moved",
  covered: "Covered",
  dark: "Too dark",
  blurred: "Blurred",
  noisy: "Noisy",
  compressed: "Compressed too much",
  frozen: "Frozen",
  model: "The detector sees people otherwise",
  traffic: "Another number of people than usual",
};
/** @param {number} value logarithm of a ratio */
const ratio = (value) => `${value >= 0 ? "+" : "−"}${Math.round(Math.abs(Math.exp(value) - 1) * 100)} %`;
const TRACES = [
  {
    field: "fps_in",
    label: "Frames in",
    hint: "Decoded frames a second",
    least: 2,
    floor: 0,
    text: (/** @type {number} */ v) => `${v.toFixed(1)}/s`,
  },
  {
    field: "fps_processed",
    label: "Analysed",
    hint: "Analysed frames a second",
    least: 1,
    floor: 0,
    text: (/** @type {number} */ v) => `${v.toFixed(1)}/s`,
  },
  {
    field: "frame_age_s",
    label: "Frame age",
    hint: "Age of the newest analysed frame, from its capture",
    least: 0.5,
    floor: 0,
    text: duration,
  },
  {
    field: "cores",
    label: "CPU",
    hint: "Processor cores that it takes",
    least: 0.05,
    floor: 0,
    text: (/** @type {number} */ v) => `${v.toFixed(2)} cores`,
  },
  {
    field: "luma",
    label: "Brightness",
    hint: "Mean of the picture, of 255",
    least: 0.5,
    text: (/** @type {number} */ v) => `${Math.round(Math.exp(v) - 1)} of 255`,
  },
  {
    field: "hidden",
    label: "Hidden",
    hint: "Share of the picture that shows nothing of what it usually does",
    least: 0.2,
    floor: 0,
    text: percent,
  },
  {
    field: "sharpness",
    label: "Sharpness",
    hint: "Fine structure, compared with the reference",
    least: 0.4,
    text: ratio,
  },
  { field: "noise", label: "Noise", hint: "Compared with the reference", least: 0.4, text: ratio },
  {
    field: "people_score",
    label: "Confidence of the detector",
    hint: "Stability index against the same hours of the week: 0 is the same, 0.25 another",
    least: 0.25,
    floor: 0,
    text: (/** @type {number} */ v) => v.toFixed(2),
  },
  {
    field: "people_doubt",
    label: "Doubtful detections",
    hint: "Stability index, likewise",
    least: 0.25,
    floor: 0,
    text: (/** @type {number} */ v) => v.toFixed(2),
  },
];

/** @type {MakeView} */
export function cameraHealthView(host, { id }) {
  const here = `#/cameras/${encodeURIComponent(id)}`;
  const name = el("h1", { tabindex: "-1" }, id);
  const badge = new Badge();
  const figures = new Figures();
  const picture = new LivePicture(id, { fit: true });
  const verdicts = el("ul", { class: "verdicts" });
  const known = el("p", { class: "muted", role: "status" }, "Asking…");
  const renew = el("button", { type: "button", class: "button", onclick: () => ask() }, "This is the new view");
  const outcome = new Outcome();
  const traces = TRACES.map((spec) => new Trace(spec));
  const none = el(
    "p",
    { class: "muted", hidden: true },
    "Nothing yet: whole minutes are shown, since the registry began.",
  );
  const past = new PastAlerts(id);
  const views = new ViewPictures(id);
  host.append(
    el(
      "div",
      { class: "view-head" },
      el("div", null, el("a", { class: "back", href: "#/health" }, "Health"), name),
      el(
        "div",
        { class: "actions" },
        el("a", { class: "button", href: here }, "Counts"),
        el("a", { class: "button", href: `${here}/draw` }, "Lines and zones"),
      ),
    ),
    el(
      "div",
      { class: "camera-body" },
      el(
        "section",
        { class: "live" },
        el("div", { class: "section-head" }, el("h2", null, "Live"), badge.element),
        picture.element,
        figures.element,
      ),
      el(
        "section",
        { class: "reference" },
        el("h2", null, "Compared with how it should be"),
        known,
        verdicts,
        views.element,
        el("p", { class: "hint" }, "What is compared are numbers that are kept of its pictures, never a picture."),
        el("div", { class: "actions" }, renew),
        outcome.element,
      ),
      el(
        "section",
        { class: "counts" },
        el("h2", null, `The last ${HOURS} hours`),
        none,
        el(
          "div",
          { class: "traces" },
          traces.map((trace) => trace.element),
        ),
      ),
    ),
    past.element,
  );

  function update() {
    const view = findStream(id);
    if (!view) return;
    setText(name, title(view));
    document.title = `${title(view)}, health – Footfall`;
    badge.update(view);
    figures.update(view);
    picture.update(view);
  }

  /** @param {Drift} drift */
  function show(drift) {
    verdicts.replaceChildren(
      ...drift.verdicts.map((one) =>
        el(
          "li",
          { class: "message" },
          el("strong", null, CAUSES[one.cause] ?? one.cause),
          el("span", null, `${sentence(one.detail)}, since ${moment(Date.parse(one.since))}.`),
        ),
      ),
    );
    renew.classList.toggle("primary", drift.proposes_renewal);
    const pictures = drift.judges_pictures
      ? "Pictures are as usual."
      : "Its pictures are not judged yet: that takes a minute.";
    const people = drift.judges_people
      ? ""
      : " The detector is judged once enough people were seen in the same hours of two weeks.";
    setText(known, drift.verdicts.length ? "" : pictures + people);
  }

  async function ask() {
    const sure = await confirm({
      title: "Is this how it should be?",
      text:
        "What is known of this camera is forgotten: how it stands, how bright and how sharp its pictures are, and how its " +
        "people look. All of that is learnt anew from now on. Lines and zones stay where they are: draw them anew if it was moved.",
      action: "This is the new view",
    });
    if (sure === null) return;
    const done = await outcome.of("Saving…", async () => {
      await call("post", "/api/v1/streams/{stream}/reference", { path: { stream: id } });
      return "It is learnt anew from now on.";
    });
    if (done) {
      refresher.restart();
      views.refresher.restart();
    }
  }

  /** @param {AbortSignal} signal */
  async function load(signal) {
    try {
      const path = { stream: id };
      const [drift, moments] = await Promise.all([
        call("get", "/api/v1/monitoring/streams/{stream}/drift", { path, signal }),
        call("get", "/api/v1/monitoring/streams/{stream}/history", { path, signal }),
      ]);
      show(drift);
      const now = Date.now();
      for (const trace of traces) trace.update(moments, now - HOURS * 3_600_000, now);
      none.hidden = moments.length > 0;
    } catch (error) {
      if (!signal.aborted) setText(known, problemOf(error).message);
    }
  }

  const refresher = new Refresher(load, () => INTERVAL_MS);
  const leave = subscribe(update);
  refresher.restart();
  return {
    title: `${id}, health`,
    destroy() {
      leave();
      refresher.destroy();
      past.destroy();
      views.destroy();
      picture.destroy();
    },
  };
}
