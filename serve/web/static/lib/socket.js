/** A WebSocket that comes back: exponential back-off with jitter, reset by the first message. */

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

export class ReconnectingSocket {
  #address;
  #onmessage;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | null} */
  #timer = null;
  #delay = FIRST_MS;

  /**
   * @param {() => URL} address is called for every attempt
   * @param {(data: string | Blob) => void} onmessage
   */
  constructor(address, onmessage) {
    this.#address = address;
    this.#onmessage = onmessage;
  }

  get wanted() {
    return this.#socket !== null || this.#timer !== null;
  }

  open() {
    if (!this.wanted) this.#connect();
  }

  close() {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const socket = this.#socket;
    this.#socket = null;
    this.#delay = FIRST_MS;
    // Closing one that is still being opened makes browsers complain.
    if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
    else socket?.close();
  }

  #connect() {
    this.#timer = null;
    const socket = new WebSocket(this.#address());
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
      this.#timer = setTimeout(() => this.#connect(), this.#delay * (0.75 + Math.random() / 2));
      this.#delay = Math.min(this.#delay * 2, LONGEST_MS);
    };
  }
}
