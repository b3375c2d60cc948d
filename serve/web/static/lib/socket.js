/** A WebSocket that comes back: exponential back-off with jitter, reset by the first message. */

import { tokenProtocols } from "./api.js";

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/**
 * What the browser is to a socket; tests bring their own.
 *
 * @typedef {object} Surroundings
 * @property {(address: URL) => WebSocket} connect
 * @property {(work: () => void, delayMs: number) => unknown} setTimer
 * @property {(timer: unknown) => void} clearTimer
 * @property {() => number} random from 0 to 1
 */

/** @type {Surroundings} */
const BROWSER = {
  connect: (address) => new WebSocket(address, tokenProtocols()),
  setTimer: (work, delayMs) => setTimeout(work, delayMs),
  clearTimer: (timer) => clearTimeout(/** @type {number | undefined} */ (timer)),
  random: Math.random,
};

export class ReconnectingSocket {
  #address;
  #onmessage;
  #around;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {unknown} */
  #timer = null;
  #delay = FIRST_MS;

  /**
   * @param {() => URL} address is called for every attempt
   * @param {(data: string | Blob) => void} onmessage
   * @param {Surroundings} around
   */
  constructor(address, onmessage, around = BROWSER) {
    this.#address = address;
    this.#onmessage = onmessage;
    this.#around = around;
  }

  get wanted() {
    return this.#socket !== null || this.#timer !== null;
  }

  open() {
    if (!this.wanted) this.#connect();
  }

  close() {
    this.#around.clearTimer(this.#timer);
    this.#timer = null;
    const socket = this.#socket;
    this.#socket = null;
    this.#delay = FIRST_MS;
    // Closing one that is still being opened makes browsers complain.
    if (socket?.readyState === 0) socket.onopen = () => socket.close();
    else socket?.close();
  }

  #connect() {
    this.#timer = null;
    const socket = this.#around.connect(this.#address());
    this.#socket = socket;
    socket.binaryType = "blob";
    socket.onmessage = (event) => {
      if (this.#socket !== socket) return;
      this.#delay = FIRST_MS;
      this.#onmessage(event.data);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      // Readers that restart lose all their viewers at once; they must not come back at once.
      const delayMs = this.#delay * (0.75 + this.#around.random() / 2);
      this.#timer = this.#around.setTimer(() => this.#connect(), delayMs);
      this.#delay = Math.min(this.#delay * 2, LONGEST_MS);
    };
  }
}
