/** The window, bucket and time zone that counts and heatmap are asked for. */

/** @import { Period as Chosen } from "../lib/periods.js" */

import { el, freshId } from "../lib/dom.js";
import { BUCKETS, WINDOWS, bucketOf, periodOf, queryOf, questionOf } from "../lib/periods.js";
import { isZone, zones } from "../lib/times.js";
import { choice, field, select, setFieldError } from "./fields.js";

export class Period {
  #onchange;
  #value;

  /**
   * @param {URLSearchParams} query of the page's address
   * @param {() => void} onchange
   */
  constructor(query, onchange) {
    this.#onchange = onchange;
    this.#value = periodOf(query);
    this.element = this.#build();
  }

  get live() {
    return WINDOWS[this.#value.window].live;
  }

  get zone() {
    return this.#value.zone;
  }

  /** What the API is asked for at this moment. */
  query() {
    return questionOf(this.#value);
  }

  toQuery() {
    return queryOf(this.#value);
  }

  #build() {
    const { window, bucket, zone } = this.#value;
    const bucketSelect = select(BUCKETS, bucket, {
      onchange: (event) => this.#set({ bucket: bucketOf(event.currentTarget.value) }),
    });
    const moments = [this.#moment("From", "start"), this.#moment("To", "end")];
    const custom = el("div", { class: "period-custom", hidden: window !== "custom" }, moments);
    return el(
      "div",
      { class: "period" },
      choice(
        "Window",
        Object.entries(WINDOWS).map(([key, { label }]) => [key, label]),
        window,
        (key) => {
          custom.hidden = key !== "custom";
          this.#set({ window: key });
        },
      ),
      el("div", { class: "period-fields" }, field("Buckets", bucketSelect), this.#zoneField(zone)),
      custom,
    );
  }

  /** @param {string} zone */
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

  /**
   * @param {string} label
   * @param {"start" | "end"} key
   */
  #moment(label, key) {
    const input = el("input", {
      type: "datetime-local",
      value: this.#value[key],
      onchange: ({ currentTarget: { value } }) => value && this.#set({ [key]: value }),
    });
    return field(label, input);
  }

  /** @param {Partial<Chosen>} change */
  #set(change) {
    Object.assign(this.#value, change);
    this.#onchange();
  }
}
