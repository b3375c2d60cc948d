/** The kinds of source and of sink that this service knows, each asked for once. */

/** @import { Kind } from "../../types/documents.js" */

import { call } from "./api.js";

/** @type {Map<string, Promise<Kind[]>>} */
const asked = new Map();

export function sourceTypes() {
  return once("/api/v1/source-types");
}

export function sinkTypes() {
  return once("/api/v1/sink-types");
}

/** @param {"/api/v1/source-types" | "/api/v1/sink-types"} path */
function once(path) {
  const known = asked.get(path);
  if (known) return known;
  const asking = ask(path).catch((error) => {
    asked.delete(path); // the next one asks again
    throw error;
  });
  asked.set(path, asking);
  return asking;
}

/** @param {"/api/v1/source-types" | "/api/v1/sink-types"} path */
async function ask(path) {
  return /** @type {Kind[]} */ (await call("get", path, {}));
}
