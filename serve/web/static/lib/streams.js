/** The list of streams, asked for every two seconds while somebody looks. */

/** @import { StreamView } from "../../types/documents.js" */
/** @import { Problem } from "./api.js" */

import { call, problemOf } from "./api.js";

const INTERVAL_MS = 2000;
/** As many as the API gives at once. */
const MOST = 5000;
/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {Promise<void> | null} */
let running = null;

export const streams = {
  /** Views as the API has them; null before the first answer. */
  list: /** @type {StreamView[] | null} */ (null),
  /** The problem of the last call, null if it went well. */
  problem: /** @type {Problem | null} */ (null),
};

/** @param {string} id */
export function findStream(id) {
  return streams.list?.find((view) => view.id === id) ?? null;
}

/**
 * ``listener`` is called now, if there is something to tell, and after every answer; returns how to end that.
 *
 * @param {() => void} listener
 */
export function subscribe(listener) {
  listeners.add(listener);
  if (streams.list || streams.problem) listener();
  return () => listeners.delete(listener);
}

/** Ask now rather than at the next turn. */
export function refresh() {
  running ??= load().finally(() => (running = null));
  return running;
}

async function load() {
  clearTimeout(timer);
  try {
    streams.list = await call("get", "/api/v1/streams", { query: { limit: MOST } });
    streams.problem = null;
  } catch (error) {
    streams.problem = problemOf(error);
  }
  for (const listener of [...listeners]) listener();
  schedule();
}

function schedule() {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(refresh, INTERVAL_MS);
}

export function start() {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else refresh();
  });
  return refresh();
}
