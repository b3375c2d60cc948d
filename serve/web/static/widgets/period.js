/** The window, bucket and time zone that counts and heatmap are asked for. */

import { el, freshId } from "../lib/dom.js";
import { BUCKETS, WINDOWS, addressOf, periodOf, questionOf } from "../lib/periods.js";
import { isZone, zones } from "../lib/times.js";
import { choice, field, select, setFieldError } from "./fields.js";

export class Period {
  #onchange;
  #value;
  #custom;

  constructor(query, onchange) {
    this.#onchange = onchange;
    this.#value = periodOf(query);
    this.element = this.#build();
  }

  get live() {
    return Boolean(WINDOWS[this.#value.window].live);
  }

  get zone() {
    return this.#value.zone;
  }

  /** What the API is asked for at this moment. */
  query() {
    return questionOf(this.#value);
  }

  toQuery() {
    return addressOf(this.#value);
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
