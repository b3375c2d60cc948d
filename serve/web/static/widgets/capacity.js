/** How full the readers are, asked for now and then. */

import { call, Problem } from "../lib/api.js";
import { capacityText } from "../lib/capacity.js";
import { el, setText } from "../lib/dom.js";
import { Refresher } from "../lib/refresher.js";

const INTERVAL_MS = 5000;

export class Capacity {
  #refresher = new Refresher(
    () => this.#ask(),
    () => INTERVAL_MS,
  );
  element = el("p", { class: "muted", id: "capacity" });

  constructor() {
    this.#refresher.restart();
  }

  async #ask() {
    try {
      setText(this.element, capacityText(await call("get", "/api/v1/readers", {})));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setText(this.element, ""); // that the service has a problem is said elsewhere
    }
  }

  destroy() {
    this.#refresher.destroy();
  }
}
