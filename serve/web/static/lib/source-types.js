/** The kinds of source that this service knows, asked for once. */

/** @import { SourceType } from "../../types/documents.js" */

import { call } from "./api.js";

/** @type {Promise<SourceType[]> | null} */
let asked = null;

export function sourceTypes() {
  asked ??= ask().catch((error) => {
    asked = null; // the next one asks again
    throw error;
  });
  return asked;
}

async function ask() {
  return /** @type {SourceType[]} */ (await call("get", "/api/v1/source-types", {}));
}
