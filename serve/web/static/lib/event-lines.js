/** Server-sent events out of the pieces of text in which they come. */

/**
 * One message; a comment is none.
 *
 * @typedef {object} Message
 * @property {string} id of the newest event so far; "" before the first
 * @property {string} event "message" unless it has another name
 * @property {string} data
 */

export class EventLines {
  #rest = "";
  #id = "";
  #complete = "";
  /** @type {string[]} */
  #data = [];
  #event = "";

  /** Of the newest message that had one, also of those without data, which tell nothing else; "" before that. */
  get id() {
    return this.#complete;
  }

  /**
   * The messages that a piece of text completes.
   *
   * @param {string} text
   * @returns {Message[]}
   */
  push(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#take(line.replace(/\r$/, "")) ?? []);
  }

  /**
   * @param {string} line
   * @returns {Message | null}
   */
  #take(line) {
    if (line === "") {
      this.#complete = this.#id;
      const message = this.#data.length
        ? { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") }
        : null;
      this.#data = [];
      this.#event = "";
      return message;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") this.#id = value;
    else if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    return null;
  }
}
