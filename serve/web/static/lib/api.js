/** Calls to the REST API: the token, problems in plain words, addresses. */

const ROOT = new URL("api/v1/", document.baseURI);
const TOKEN = "footfall-token";
const TIMEOUT_MS = 60_000;
let asking = null;
let askToken = () => Promise.reject(new Error("nobody asks for the token"));

/** ``prompt`` asks somebody for the token; it is told whether one was refused before. A library draws no dialogs. */
export function useTokenPrompt(prompt) {
  askToken = prompt;
}

/** An RFC 9457 problem; status 0 if there was no answer at all. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || "The service gave an answer that cannot be read.");
    this.status = status;
    this.code = String(body.type ?? "")
      .split(":")
      .pop();
    this.errors = body.errors ?? [];
  }
}

/** Call the API; ``as`` says what the answer is made into: json, blob or nothing. */
export async function call(method, path, { query, body, as = "json", signal } = {}) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const answer = await ask(method, address(path, query), body, token, signal);
    if (answer.status === 401) {
      // Many calls may learn of it at once; the question is put once.
      asking ??= askToken(token !== null).finally(() => (asking = null));
      sessionStorage.setItem(TOKEN, await asking);
      continue;
    }
    if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({ title: answer.statusText })));
    if (as === "blob") return answer.blob();
    return answer.status === 204 ? null : answer.json();
  }
}

async function ask(method, url, body, token, signal) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const limits = [AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])];
  try {
    return await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.any ? AbortSignal.any(limits) : signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, { detail: "The service does not answer." });
  }
}

function address(path, query) {
  const url = new URL(path, ROOT);
  for (const [key, value] of Object.entries(query ?? {}))
    if (value !== null && value !== undefined) url.searchParams.set(key, value);
  return url;
}

export function streamPath(id, rest = "") {
  return `streams/${encodeURIComponent(id)}${rest}`;
}

/** Where the live frames of a stream come from; a WebSocket cannot carry the token in a header. */
export function liveAddress(id) {
  const url = address(streamPath(id, "/tracks"), { picture: true, token: sessionStorage.getItem(TOKEN) });
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/** Hand a report to the browser as a file. */
export async function download(path, query, name) {
  const blobUrl = URL.createObjectURL(await call("GET", path, { query, as: "blob" }));
  const link = document.createElement("a");
  link.href = blobUrl;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(blobUrl), 60_000);
}
