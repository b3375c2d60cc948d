/** The window, bucket and time zone that counts and heatmap are asked for. */

import { choice, el, field, freshId, select, setFieldError } from "./dom.js";
import { BROWSER_ZONE, isZone, isoDay, zones } from "./times.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MINUTE_MS = 60_000;

/** ``live`` windows end now and are asked for again and again. */
const WINDOWS = {
  "1h": { label: "Last hour", live: true, bounds: (now) => [ago(now, HOUR_MS), now] },
  "6h": { label: "6 hours", live: true, bounds: (now) => [ago(now, 6 * HOUR_MS), now] },
  today: { label: "Today", live: true, bounds: (now, zone) => [midnight(now, zone), now] },
  yesterday: {
    label: "Yesterday",
    bounds: (now, zone) => [midnight(now - DAY_MS, zone), midnight(now, zone)],
  },
  "7d": { label: "7 days", live: true, bounds: (now, zone) => [midnight(now - 6 * DAY_MS, zone), now] },
  "30d": { label: "30 days", live: true, bounds: (now, zone) => [midnight(now - 29 * DAY_MS, zone), now] },
  custom: { label: "Custom", bounds: (now, zone, { start, end }) => [start, end] },
};
const BUCKETS = [
  ["auto", "Automatic"],
  ["1m", "Minutes"],
  ["15m", "Quarter hours"],
  ["1h", "Hours"],
  ["1d", "Days"],
];

/** Local times without an offset are read by the API in the zone that is asked for. */
function midnight(ms, zone) {
  return `${isoDay(ms, zone)}T00:00`;
}

/** The API takes whole minutes, the one that runs included. */
function ago(now, length) {
  return Math.ceil(now / MINUTE_MS) * MINUTE_MS - length;
}

function lengthMs([start, end], now) {
  const ms = (value) => (typeof value === "number" ? value : Date.parse(value));
  return Math.min(ms(end), now + DAY_MS) - ms(start);
}

function bucketFor(length) {
  if (length <= 3 * HOUR_MS) return "1m";
  if (length <= 2 * DAY_MS) return "15m";
  return length <= 14 * DAY_MS ? "1h" : "1d";
}

export class Period {
  #onchange;
  #value;
  #custom;
  #note = el("p", { class: "hint period-note" });

  constructor(query, onchange) {
    this.#onchange = onchange;
    const zone = query.get("tz");
    this.#value = {
      window: WINDOWS[query.get("window")] ? query.get("window") : "1h",
      bucket: BUCKETS.some(([key]) => key === query.get("bucket")) ? query.get("bucket") : "auto",
      zone: zone && isZone(zone) ? zone : BROWSER_ZONE,
      start: query.get("start") ?? midnight(Date.now() - DAY_MS, BROWSER_ZONE),
      end: query.get("end") ?? midnight(Date.now(), BROWSER_ZONE),
    };
    this.element = this.#build();
  }

  get live() {
    return Boolean(WINDOWS[this.#value.window].live);
  }

  get zone() {
    return this.#value.zone;
  }

  /** What the API is asked for at this moment. */
  query(now = Date.now()) {
    const { window, bucket, zone } = this.#value;
    const bounds = WINDOWS[window].bounds(now, zone, this.#value);
    const [start, end] = bounds.map((value) => (typeof value === "number" ? Math.floor(value / 1000) : value));
    return { start, end, tz: zone, bucket: bucket === "auto" ? bucketFor(lengthMs(bounds, now)) : bucket };
  }

  /** For the address of the page, so that a reload or a link shows the same. */
  toQuery() {
    const { window, bucket, zone, start, end } = this.#value;
    const query = new URLSearchParams({ window, bucket });
    if (zone !== BROWSER_ZONE) query.set("tz", zone);
    if (window === "custom") {
      query.set("start", start);
      query.set("end", end);
    }
    return query;
  }

  #build() {
    const { window, bucket, zone } = this.#value;
    const bucketSelect = select(BUCKETS, bucket, { onchange: (event) => this.#set({ bucket: event.target.value }) });
    this.#custom = el("div", { class: "period-custom" }, this.#moment("From", "start"), this.#moment("To", "end"));
    this.#custom.hidden = window !== "custom";
    return el(
      "div",
      { class: "period" },
      choice(
        "Window",
        Object.entries(WINDOWS).map(([key, { label }]) => [key, label]),
        window,
        (key) => {
          this.#custom.hidden = key !== "custom";
          this.#set({ window: key });
        },
      ),
      el("div", { class: "period-fields" }, field("Buckets", bucketSelect), this.#zoneField(zone)),
      this.#custom,
    );
  }

  #zoneField(zone) {
    const id = freshId("zones");
    const input = el("input", {
      value: zone,
      list: id,
      autocomplete: "off",
      spellcheck: "false",
      onchange: () => {
        const known = isZone(input.value);
        setFieldError(box, known ? null : "There is no such time zone.");
        if (known) this.#set({ zone: input.value });
      },
    });
    const box = field("Time zone", input);
    box.append(
      el(
        "datalist",
        { id },
        zones().map((name) => el("option", { value: name })),
      ),
    );
    return box;
  }

  #moment(label, key) {
    const input = el("input", {
      type: "datetime-local",
      value: this.#value[key],
      onchange: () => input.value && this.#set({ [key]: input.value }),
    });
    return field(label, input);
  }

  #set(change) {
    Object.assign(this.#value, change);
    this.#onchange();
  }
}
