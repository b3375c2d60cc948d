/** Work that is done again and again while somebody looks, never twice at once, never faster than the service can. */

/**
 * What the browser is to a refresher; tests bring their own.
 *
 * @typedef {object} Surroundings
 * @property {() => number} now milliseconds that only ever grow
 * @property {(work: () => void, delayMs: number) => unknown} setTimer
 * @property {(timer: unknown) => void} clearTimer
 * @property {() => boolean} hidden whether nobody looks
 * @property {(listener: () => void) => () => void} onVisibility returns how to end it
 */

/** @type {Surroundings} */
const BROWSER = {
  now: () => performance.now(),
  setTimer: (work, delayMs) => setTimeout(work, delayMs),
  clearTimer: (timer) => clearTimeout(/** @type {number | undefined} */ (timer)),
  hidden: () => document.hidden,
  onVisibility(listener) {
    document.addEventListener("visibilitychange", listener);
    return () => document.removeEventListener("visibilitychange", listener);
  },
};

export class Refresher {
  #work;
  #interval;
  #around;
  /** @type {unknown} */
  #timer;
  /** @type {AbortController | null} */
  #abort = null;
  #ended = false;
  #leave;

  /**
   * @param {(signal: AbortSignal) => Promise<void>} work
   * @param {() => number | null} interval is asked after every round and gives milliseconds, or null to rest
   * @param {Surroundings} around
   */
  constructor(work, interval, around = BROWSER) {
    this.#work = work;
    this.#interval = interval;
    this.#around = around;
    this.#leave = around.onVisibility(() => (around.hidden() ? around.clearTimer(this.#timer) : this.#schedule(0)));
  }

  /** Begin anew, whatever is going on. */
  restart() {
    this.#around.clearTimer(this.#timer);
    this.#abort?.abort();
    this.#abort = null;
    this.#run();
  }

  destroy() {
    this.#ended = true;
    this.#around.clearTimer(this.#timer);
    this.#abort?.abort();
    this.#leave();
  }

  async #run() {
    if (this.#abort || this.#ended) return;
    const abort = (this.#abort = new AbortController());
    const begun = this.#around.now();
    try {
      await this.#work(abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    }
    if (abort.signal.aborted) return;
    this.#abort = null;
    const interval = this.#interval();
    // A window that takes long to add up is asked for more rarely.
    if (interval !== null) this.#schedule(Math.max(interval, 5 * (this.#around.now() - begun)));
  }

  /** @param {number} delayMs */
  #schedule(delayMs) {
    const { clearTimer, setTimer, hidden } = this.#around;
    clearTimer(this.#timer);
    if (!this.#ended && !hidden() && this.#interval() !== null) this.#timer = setTimer(() => this.#run(), delayMs);
  }
}
