/** The list of streams, asked for every two seconds while somebody looks. */

import { call } from "./api.js";

const INTERVAL_MS = 2000;
const listeners = new Set();
let timer = null;
let running = null;

export const streams = {
  /** Views as the API has them; null before the first answer. */
  list: null,
  /** The problem of the last call, null if it went well. */
  problem: null,
};

export function find(id) {
  return streams.list?.find((view) => view.id === id) ?? null;
}

/** ``listener`` is called now, if there is something to tell, and after every answer; returns how to end that. */
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
    streams.list = await call("GET", "streams");
    streams.problem = null;
  } catch (problem) {
    streams.problem = problem;
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
