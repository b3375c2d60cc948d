/** Follows the service's events, and goes on where it was when it is cut off. */

/** @import { Message } from "./event-lines.js" */

import { tokenHeaders } from "./api.js";
import { EventLines } from "./event-lines.js";

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/**
 * What the browser is to a stream; tests bring their own.
 *
 * @typedef {object} Surroundings
 * @property {(address: URL, options: RequestInit) => Promise<Response>} fetch
 * @property {(delayMs: number) => Promise<void>} wait
 * @property {() => number} random from 0 to 1
 */

/** @type {Surroundings} */
const BROWSER = {
  fetch: (address, options) => fetch(address, options),
  wait: (delayMs) =>
    new Promise((resolve) => {
      setTimeout(resolve, delayMs);
    }),
  random: Math.random,
};

/** Not the browser's EventSource: that cannot show a token. */
export class EventStream {
  #address;
  #onmessage;
  #onstate;
  #around;
  #abort = new AbortController();
  #last = "";

  /**
   * @param {URL} address
   * @param {(message: Message) => void} onmessage
   * @param {(connected: boolean) => void} onstate
   * @param {Surroundings} around
   */
  constructor(address, onmessage, onstate, around = BROWSER) {
    this.#address = address;
    this.#onmessage = onmessage;
    this.#onstate = onstate;
    this.#around = around;
  }

  /** Until `close`. */
  async run() {
    let delay = FIRST_MS;
    while (!this.#abort.signal.aborted) {
      try {
        await this.#follow(() => (delay = FIRST_MS));
      } catch (error) {
        // What fetch() throws when nobody answers, or the wire is cut.
        if (!this.#abort.signal.aborted && !(error instanceof TypeError)) throw error;
      }
      if (this.#abort.signal.aborted) return;
      this.#onstate(false);
      await this.#around.wait(delay * (0.75 + this.#around.random() / 2));
      delay = Math.min(delay * 2, LONGEST_MS);
    }
  }

  close() {
    this.#abort.abort();
  }

  /** @param {() => void} onfirst */
  async #follow(onfirst) {
    /** @type {Record<string, string>} */
    const headers = { ...tokenHeaders(), Accept: "text/event-stream" };
    if (this.#last) headers["Last-Event-ID"] = this.#last;
    const answer = await this.#around.fetch(this.#address, { headers, signal: this.#abort.signal, cache: "no-store" });
    if (!answer.ok || !answer.body) return;
    this.#onstate(true);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const lines = new EventLines();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const messages = lines.push(value);
      this.#last = lines.id || this.#last;
      for (const message of messages) {
        onfirst();
        this.#onmessage(message);
      }
    }
  }
}
