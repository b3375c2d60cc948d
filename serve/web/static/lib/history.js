/** Undo and redo over a value. */

/**
 * What was, what is, and what was undone.
 *
 * @template Value
 */
export class History {
  /** @type {Value[]} */
  #past = [];
  /** @type {Value[]} */
  #future = [];
  /** @type {string | null} */
  #reason = null;

  /** @param {Value} value */
  constructor(value) {
    this.value = value;
    this.saved = value;
  }

  get changed() {
    return this.value !== this.saved;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /**
   * @param {Value} value
   * @param {string | null} reason changes with the same one in a row, such as the steps of one drag, are undone at once
   */
  commit(value, reason = null) {
    if (reason === null || reason !== this.#reason) this.#past.push(this.value);
    this.#reason = reason;
    this.#future = [];
    this.value = value;
  }

  /** The next change is one of its own. */
  settle() {
    this.#reason = null;
  }

  undo() {
    const before = this.#past.pop();
    if (before === undefined) return;
    this.#future.push(this.value);
    this.value = before;
    this.settle();
  }

  redo() {
    const after = this.#future.pop();
    if (after === undefined) return;
    this.#past.push(this.value);
    this.value = after;
    this.settle();
  }
}
