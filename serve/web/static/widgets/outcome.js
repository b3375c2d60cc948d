/** What came of something that somebody asked for, beside where it was asked. */

import { problemOf } from "../lib/api.js";
import { el, setText } from "../lib/dom.js";
import { sentence } from "../lib/status.js";

export class Outcome {
  #busy = false;
  element = el("p", { class: "outcome", role: "status", hidden: true });

  /**
   * Do something and tell what came of it; while it goes on, nothing else is done. Tells whether it went well.
   *
   * Buttons are not disabled meanwhile: that would take the focus from them.
   *
   * @param {string} before
   * @param {() => Promise<string>} work gives the words for the end; "" for none
   */
  async of(before, work) {
    if (this.#busy) return false;
    this.#busy = true;
    this.say(before);
    try {
      this.say(await work(), "good");
      return true;
    } catch (error) {
      this.say(sentence(problemOf(error).message), "bad");
      return false;
    } finally {
      this.#busy = false;
    }
  }

  /**
   * @param {string} text
   * @param {"good" | "bad" | ""} state
   */
  say(text, state = "") {
    this.element.hidden = text === "";
    this.element.dataset.state = state;
    setText(this.element, text);
  }
}
