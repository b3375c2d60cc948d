/** Undo and redo over a value. */

/** What was, what is, and what was undone. */
export class History {
  #past = [];
  #future = [];
  #reason = null;

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

  /** Changes with the same ``reason`` in a row, such as the steps of one drag, are undone at once. */
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
    if (!this.canUndo) return;
    this.#future.push(this.value);
    this.value = this.#past.pop();
    this.settle();
  }

  redo() {
    if (!this.canRedo) return;
    this.#past.push(this.value);
    this.value = this.#future.pop();
    this.settle();
  }
}
