import assert from "node:assert/strict";
import { test } from "node:test";

import { Refresher } from "../../serve/web/static/lib/refresher.js";

/** @import { Surroundings } from "../../serve/web/static/lib/refresher.js" */

/**
 * A browser of which the test is the clock.
 *
 * @implements {Surroundings}
 */
class Around {
  time = 0;
  looking = true;
  /** @type {Map<number, { at: number, work: () => void }>} */
  timers = new Map();
  /** @type {Set<() => void>} */
  listeners = new Set();
  #made = 0;

  now = () => this.time;
  hidden = () => !this.looking;

  /** @type {Surroundings["setTimer"]} */
  setTimer = (work, delayMs) => {
    this.#made += 1;
    this.timers.set(this.#made, { at: this.time + delayMs, work });
    return this.#made;
  };

  /** @type {Surroundings["clearTimer"]} */
  clearTimer = (timer) => {
    if (typeof timer === "number") this.timers.delete(timer);
  };

  /** @type {Surroundings["onVisibility"]} */
  onVisibility = (listener) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** @param {boolean} looking */
  look(looking) {
    this.looking = looking;
    for (const listener of this.listeners) listener();
  }

  /** How long it is to the next timer; null if there is none. */
  get ahead() {
    const times = [...this.timers.values()].map(({ at }) => at - this.time);
    return times.length ? Math.min(...times) : null;
  }

  /** Let time go by until the next timer is due. */
  async next() {
    const [timer, due] = [...this.timers].sort(([, a], [, b]) => a.at - b.at)[0];
    this.timers.delete(timer);
    this.time = due.at;
    due.work();
    await settled();
  }
}

/** Work that ends when the test says so. */
class Work {
  /** @type {{ signal: AbortSignal, end: () => void, fail: (error: Error) => void }[]} */
  rounds = [];

  /** @param {AbortSignal} signal */
  run = (signal) =>
    /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        this.rounds.push({ signal, end: () => resolve(), fail: reject });
      })
    );

  async end() {
    this.rounds.at(-1)?.end();
    await settled();
  }
}

/** Everything that follows from what has happened has happened. */
function settled() {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** @param {number | null} interval */
function make(interval = 5000) {
  const around = new Around();
  const work = new Work();
  const wish = { interval };
  const refresher = new Refresher(work.run, () => wish.interval, around);
  return { around, work, wish, refresher };
}

test("work begins at once and comes again after the interval, counted from its end", async () => {
  const { around, work, refresher } = make();
  refresher.restart();
  assert.equal(work.rounds.length, 1);
  assert.equal(around.ahead, null);
  await work.end();
  assert.equal(around.ahead, 5000);
  await around.next();
  assert.equal(work.rounds.length, 2);
});

test("work that takes long is done more rarely", async () => {
  const { around, work, refresher } = make();
  refresher.restart();
  around.time += 3000;
  await work.end();
  assert.equal(around.ahead, 15_000);
});

test("without an interval there is one round, and another when somebody asks", async () => {
  const { around, work, refresher } = make(null);
  refresher.restart();
  await work.end();
  assert.equal(around.ahead, null);
  around.look(false);
  around.look(true);
  assert.equal(around.ahead, null);
  refresher.restart();
  assert.equal(work.rounds.length, 2);
});

test("beginning anew gives the round that runs up, and its end starts nothing", async () => {
  const { around, work, refresher } = make();
  refresher.restart();
  refresher.restart();
  const [first, second] = work.rounds;
  assert.deepEqual([first.signal.aborted, second.signal.aborted], [true, false]);
  first.end();
  await settled();
  assert.equal(around.ahead, null);
  second.end();
  await settled();
  assert.equal(around.ahead, 5000);
});

test("nothing is done while nobody looks, and at once when somebody does again", async () => {
  const { around, work, refresher } = make();
  refresher.restart();
  await work.end();
  around.look(false);
  assert.equal(around.ahead, null);
  around.look(true);
  assert.equal(around.ahead, 0);
  await around.next();
  assert.equal(work.rounds.length, 2);
});

test("a round that ends while nobody looks has no follower", async () => {
  const { around, work, refresher } = make();
  refresher.restart();
  around.look(false);
  await work.end();
  assert.equal(around.ahead, null);
});

test("a look in the middle of a round does not begin a second one", async () => {
  const { around, work, refresher } = make();
  refresher.restart();
  around.look(false);
  around.look(true);
  await around.next();
  assert.equal(work.rounds.length, 1);
  await work.end();
  assert.equal(around.ahead, 5000);
});

test("the interval is asked for after every round", async () => {
  const { around, work, wish, refresher } = make();
  refresher.restart();
  wish.interval = 60_000;
  await work.end();
  assert.equal(around.ahead, 60_000);
});

test("after its end nothing is done, whatever is asked", async () => {
  const { around, work, refresher } = make();
  refresher.restart();
  refresher.destroy();
  assert.equal(work.rounds[0].signal.aborted, true);
  await work.end();
  refresher.restart();
  assert.deepEqual([work.rounds.length, around.ahead, around.listeners.size], [1, null, 0]);
});

test("a round that was given up may fail without a word", async () => {
  const { work, refresher } = make();
  refresher.restart();
  refresher.destroy();
  work.rounds[0].fail(new Error("aborted"));
  await settled();
});
