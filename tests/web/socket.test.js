import assert from "node:assert/strict";
import { test } from "node:test";

import { ReconnectingSocket } from "../../serve/web/static/lib/socket.js";

const [CONNECTING, OPEN] = [0, 1];

/** The part of a WebSocket that is used, driven by the test. */
class FakeSocket {
  readyState = CONNECTING;
  closed = false;
  binaryType = "";
  onopen = () => {};
  onclose = () => {};
  /** @param {{ data: string }} _event */
  onmessage = (_event) => {};

  close() {
    this.closed = true;
  }

  answer() {
    this.readyState = OPEN;
    this.onopen();
  }
}

function make() {
  /** @type {FakeSocket[]} */
  const sockets = [];
  /** @type {{ work: () => void, delayMs: number }[]} */
  const timers = [];
  /** @type {(string | Blob)[]} */
  const received = [];
  const socket = new ReconnectingSocket(
    () => new URL("ws://footfall.example/tracks"),
    (data) => received.push(data),
    {
      connect() {
        const fake = new FakeSocket();
        sockets.push(fake);
        return /** @type {WebSocket} */ (/** @type {unknown} */ (fake));
      },
      setTimer: (work, delayMs) => timers.push({ work, delayMs }),
      clearTimer: () => timers.splice(0),
      random: () => 0.5,
    },
  );
  const last = () => /** @type {FakeSocket} */ (sockets.at(-1));
  /** The connection breaks; the wait before the next attempt, which is then made. */
  function lose() {
    last().onclose();
    const [{ work, delayMs }] = timers.splice(0);
    work();
    return delayMs;
  }
  return { socket, sockets, timers, received, last, lose };
}

test("opening twice connects once", () => {
  const { socket, sockets } = make();
  socket.open();
  socket.open();
  assert.equal(sockets.length, 1);
});

test("each loss doubles the wait, up to a quarter of a minute", () => {
  const { socket, lose } = make();
  socket.open();
  assert.deepEqual(Array.from({ length: 7 }, lose), [500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
});

test("a message, not a mere connection, makes the next wait short again", () => {
  const { socket, received, last, lose } = make();
  socket.open();
  lose();
  last().answer();
  assert.equal(lose(), 1000);
  last().onmessage({ data: "frame" });
  assert.deepEqual(received, ["frame"]);
  assert.equal(lose(), 500);
});

test("after closing, nothing comes back and nothing more is received", () => {
  const { socket, timers, received, last } = make();
  socket.open();
  last().answer();
  socket.close();
  assert.equal(last().closed, true);
  last().onmessage({ data: "late" });
  last().onclose();
  assert.deepEqual([received, timers, socket.wanted], [[], [], false]);
});

test("closing while it waits ends the waiting", () => {
  const { socket, timers, last } = make();
  socket.open();
  last().onclose();
  assert.equal(socket.wanted, true);
  socket.close();
  assert.deepEqual([timers, socket.wanted], [[], false]);
});

test("one that is still being opened is closed once it is open", () => {
  const { socket, last } = make();
  socket.open();
  socket.close();
  assert.equal(last().closed, false);
  last().answer();
  assert.equal(last().closed, true);
});

test("an old connection that ends does not disturb the new one", () => {
  const { socket, sockets, timers } = make();
  socket.open();
  socket.close();
  socket.open();
  sockets[0].onclose();
  assert.deepEqual([sockets.length, timers], [2, []]);
});
