import assert from "node:assert/strict";
import { test } from "node:test";

import { EventLines } from "../../serve/web/static/lib/event-lines.js";
import { EventStream } from "../../serve/web/static/lib/event-stream.js";
import { eventText, isTrouble } from "../../serve/web/static/lib/event-text.js";

/** @import { ServiceEvent } from "../../serve/web/types/documents.js" */

const TEXT = ': hello\nretry: 2000\n\nid: 3\ndata: {"a":1}\n\nevent: gap\ndata: x\ndata: y\n\nid: 4\ndata: z\n\n';
const MESSAGES = [
  { id: "3", event: "message", data: '{"a":1}' },
  { id: "3", event: "gap", data: "x\ny" },
  { id: "4", event: "message", data: "z" },
];

test("messages are the same in whatever pieces they come", () => {
  for (const size of [1, 2, 7, TEXT.length]) {
    const lines = new EventLines();
    const found = [];
    for (let at = 0; at < TEXT.length; at += size) found.push(...lines.push(TEXT.slice(at, at + size)));
    assert.deepEqual(found, MESSAGES);
  }
});

test("a message that is not complete is none yet, and lines may end as on Windows", () => {
  const lines = new EventLines();
  assert.deepEqual(lines.push("id: 1\r\ndata: a\r\n"), []);
  assert.deepEqual(lines.push("\r\n"), [{ id: "1", event: "message", data: "a" }]);
});

test("a number without data is where to go on, and no message", () => {
  const lines = new EventLines();
  assert.deepEqual(lines.push(": hello\n\nid: 7\n"), []);
  assert.equal(lines.id, "");
  assert.deepEqual(lines.push("\nid: 9\ndata: a\n"), []);
  assert.equal(lines.id, "7");
});

/** @param {string[]} parts */
function answer(...parts) {
  const encoder = new TextEncoder();
  return new Response(
    new ReadableStream({
      start(controller) {
        for (const part of parts) controller.enqueue(encoder.encode(part));
        controller.close();
      },
    }),
  );
}

test("a stream that is cut off goes on where it was, with longer and longer pauses", async () => {
  globalThis.sessionStorage ??= /** @type {Storage} */ (/** @type {unknown} */ ({ getItem: () => null }));
  /** @type {(Response | Error)[]} */
  const answers = [
    answer("id: 1\ndata: a\n\n", "id: 2\ndata: b"),
    new TypeError("nobody"),
    new Response("", { status: 503 }),
    answer("id: 2\ndata: b\n\n"),
  ];
  /** @type {(string | undefined)[]} */
  const asked = [];
  /** @type {number[]} */
  const waits = [];
  /** @type {string[]} */
  const heard = [];
  const stream = new EventStream(
    new URL("http://footfall.example/api/v1/events"),
    ({ data }) => heard.push(data),
    () => {},
    {
      async fetch(_address, options) {
        asked.push(/** @type {Record<string, string>} */ (options.headers)["Last-Event-ID"]);
        const next = answers.shift();
        if (next instanceof Error) throw next;
        return /** @type {Response} */ (next);
      },
      async wait(delayMs) {
        waits.push(delayMs);
        if (!answers.length) stream.close();
      },
      random: () => 0.5,
    },
  );
  await stream.run();
  assert.deepEqual(heard, ["a", "b"]);
  assert.deepEqual(asked, [undefined, "1", "1", "1"]);
  assert.deepEqual(waits, [500, 1000, 2000, 500]);
});

/**
 * @param {string} type
 * @param {object} data
 */
function event(type, data) {
  return /** @type {ServiceEvent} */ (/** @type {unknown} */ ({ type, data }));
}

test("events are told in words", () => {
  const told = [
    event("footfall.crossing.v1", { line: "door", direction: "in" }),
    event("footfall.zone-exit.v1", { zone: "till", dwell_s: 90 }),
    event("footfall.queue.v1", { zone: "till", over: true, people: 5 }),
    event("footfall.occupancy.v1", { zone: "hall", over: true, people: 1 }),
    event("footfall.queue.v1", { zone: "till", over: false, people: 0 }),
    event("footfall.stream-state.v1", { state: "running", error: null, error_code: null }),
    event("footfall.stream-state.v1", { state: "failed", error: "it is gone", error_code: "x" }),
    event("footfall.test.v1", { sink: "till-light" }),
    event("footfall.something-new.v2", {}),
  ];
  assert.deepEqual(told.map(eventText), [
    "Somebody crossed door: in",
    "Somebody left till after 90 s",
    "5 people waiting in till",
    "1 person in hall",
    "The queue in till is short again",
    "Running",
    "Failed. It is gone",
    "A test of the sink till-light",
    "footfall.something-new.v2",
  ]);
  assert.deepEqual(told.map(isTrouble), [false, false, true, true, false, false, true, false, false]);
});
