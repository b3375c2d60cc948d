/** Calls to the REST API: the token, problems in plain words, addresses. */

/** @import { AnyOptions, Answer, Method, Options, Path } from "../../types/call.js" */

const TOKEN = "footfall-token";
const TIMEOUT_MS = 60_000;
/** @type {Promise<string> | null} */
let asking = null;
/** @type {(wrong: boolean) => Promise<string>} */
let askToken = () => Promise.reject(new Error("nobody asks for the token"));

/**
 * Say who asks for the token: a library draws no dialogs.
 *
 * @param {(wrong: boolean) => Promise<string>} prompt is told whether one was refused before
 */
export function useTokenPrompt(prompt) {
  askToken = prompt;
}

/**
 * What shows that somebody in this tab has given the token.
 *
 * @returns {Record<string, string>}
 */
export function tokenHeaders() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/**
 * The same for a WebSocket, which cannot set headers: as a name of a subprotocol, in base64url. An address would end up
 * in logs.
 *
 * @returns {string[]}
 */
export function tokenProtocols() {
  const token = sessionStorage.getItem(TOKEN);
  if (!token) return [];
  const base64 = btoa(String.fromCharCode(...new TextEncoder().encode(token)));
  const name = base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return ["footfall", `footfall.token.${name}`];
}

/** An RFC 9457 problem; status 0 if there was no answer at all. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {{ type?: string, title?: string, detail?: string, errors?: { field: string, message: string }[] | null }} body
   */
  constructor(status, body) {
    super(body.detail || body.title || "The service gave an answer that cannot be read.");
    this.status = status;
    this.code = (body.type ?? "").split(":").pop();
    this.errors = body.errors ?? [];
  }
}

/**
 * What went wrong, if it is something to tell; a mistake of ours goes on as it is.
 *
 * @param {unknown} error
 */
export function problemOf(error) {
  if (error instanceof Problem) return error;
  throw error;
}

/**
 * Call the API; the types of all that goes in and comes out are those of its OpenAPI document.
 *
 * @template {Method} M
 * @template {Path<M>} P
 * @param {M} method
 * @param {P} path
 * @param {Options<M, P>} options
 * @returns {Promise<Answer<M, P>>}
 */
export async function call(method, path, options) {
  const answer = await send(method, path, options);
  // That an answer is what the document says is the service's promise, which its own tests keep.
  return /** @type {Answer<M, P>} */ (answer.status === 204 ? null : await answer.json());
}

/**
 * A document with its ETag, for who will change it.
 *
 * @template {Path<"get">} P
 * @param {P} path
 * @param {Options<"get", P>} options
 */
export async function fetchTagged(path, options) {
  const answer = await send("get", path, options);
  return { document: /** @type {Answer<"get", P>} */ (await answer.json()), etag: answer.headers.get("ETag") };
}

/**
 * What is no JSON.
 *
 * @template {Path<"get">} P
 * @param {P} path
 * @param {Options<"get", P>} options
 */
export async function fetchBlob(path, options) {
  return (await send("get", path, options)).blob();
}

/** The OpenAPI document, which does not describe itself. */
export async function apiDocument() {
  return /** @type {object} */ (await (await send("get", "/api/v1/openapi.json", {})).json());
}

/**
 * @param {string} method
 * @param {string} path
 * @param {AnyOptions} options
 */
async function send(method, path, options) {
  for (;;) {
    const headers = tokenHeaders();
    const answer = await ask(method, addressOf(path, options), options, headers);
    if (answer.status === 401) {
      // Many calls may learn of it at once; the question is put once.
      asking ??= askToken("Authorization" in headers).finally(() => (asking = null));
      sessionStorage.setItem(TOKEN, await asking);
      continue;
    }
    if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({ title: answer.statusText })));
    return answer;
  }
}

/**
 * @param {string} method
 * @param {URL} url
 * @param {AnyOptions} options
 * @param {Record<string, string>} headers
 */
async function ask(method, url, { header, body, signal }, headers) {
  const limits = [AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])];
  try {
    return await fetch(url, {
      method: method.toUpperCase(),
      headers: { ...headers, ...header, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.any(limits),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, { detail: "The service does not answer." });
  }
}

/**
 * Relative to the page: the service may stand below a prefix of somebody's proxy.
 *
 * @param {string} path with {names} in it, as in the OpenAPI document
 * @param {AnyOptions} options
 */
function addressOf(path, { path: parts = {}, query = {} }) {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parts[name]));
  const url = new URL(filled.slice(1), document.baseURI);
  for (const [key, value] of Object.entries(query))
    if (value !== null && value !== undefined) url.searchParams.set(key, String(value));
  return url;
}

/**
 * Where the live frames of a stream come from.
 *
 * @param {string} stream
 */
export function liveAddress(stream) {
  const url = addressOf("/api/v1/streams/{stream}/tracks", { path: { stream }, query: { picture: true } });
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/**
 * Hand a file to the browser.
 *
 * @param {Blob} blob
 * @param {string} filename
 */
export function download(blob, filename) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
