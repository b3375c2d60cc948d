/** Work that is done again and again while somebody looks, never twice at once, never faster than the service can. */

export class Refresher {
  #work;
  #interval;
  #timer = null;
  #abort = null;
  #ended = false;
  #onvisibility = () => (document.hidden ? clearTimeout(this.#timer) : this.#schedule(0));

  /** ``work`` takes a signal; ``interval`` is asked after every round and gives milliseconds, or null to rest. */
  constructor(work, interval) {
    this.#work = work;
    this.#interval = interval;
    document.addEventListener("visibilitychange", this.#onvisibility);
  }

  /** Begin anew, whatever is going on. */
  restart() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#abort = null;
    this.#run();
  }

  destroy() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#abort?.abort();
    document.removeEventListener("visibilitychange", this.#onvisibility);
  }

  async #run() {
    if (this.#abort || this.#ended) return;
    const abort = (this.#abort = new AbortController());
    const begun = performance.now();
    try {
      await this.#work(abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    }
    if (abort.signal.aborted) return;
    this.#abort = null;
    const interval = this.#interval();
    // A window that takes long to add up is asked for more rarely.
    if (interval !== null) this.#schedule(Math.max(interval, 5 * (performance.now() - begun)));
  }

  #schedule(delay) {
    clearTimeout(this.#timer);
    if (!this.#ended && !document.hidden && this.#interval() !== null)
      this.#timer = setTimeout(() => this.#run(), delay);
  }
}
