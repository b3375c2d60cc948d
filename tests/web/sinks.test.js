import assert from "node:assert/strict";
import { test } from "node:test";

import {
  completions,
  deliveredText,
  listOf,
  listText,
  missedText,
  mistakeInStreams,
  sendAll,
  SINK_STATES,
  sinkState,
  typesOffered,
  waitingText,
  wantedOf,
  wantedTexts,
} from "../../serve/web/static/lib/sinks.js";

/** @import { SinkView } from "../../serve/web/types/documents.js" */

/**
 * A sink that delivers.
 *
 * @param {Partial<SinkView>} more
 * @returns {SinkView}
 */
function sink(more = {}) {
  return {
    id: "light",
    name: "Light",
    enabled: true,
    types: [],
    streams: [],
    sites: [],
    target: { type: "webhook", url: "http://192.0.2.1/", secret: "***" },
    place: "http://192.0.2.1/",
    by_settings: false,
    deliverer: "somebody",
    after: 7,
    waiting: 0,
    lag_s: 0,
    delivered: 391,
    delivered_at: null,
    error: null,
    error_at: null,
    missed: 0,
    dead_letters: 0,
    ...more,
  };
}

test("a sink that is off is off, whatever else is so", () => {
  assert.equal(sinkState(sink({ enabled: false, error: "gone", deliverer: null }), 60_000), "off");
});

test("where nobody delivers, that goes before an error of before; at first it only starts", () => {
  assert.equal(sinkState(sink({ deliverer: null, error: "gone" }), 60_000), "unattended");
  assert.equal(sinkState(sink({ deliverer: null }), 100), "starting");
});

test("with somebody who delivers, an error says that nothing arrives", () => {
  assert.equal(sinkState(sink(), 0), "delivering");
  assert.equal(SINK_STATES[sinkState(sink({ error: "127.0.0.1 answers 503" }), 0)], "Not arriving");
});

test("what waits is told with how long, and no number is claimed that is not known", () => {
  const told = [
    sink(),
    sink({ waiting: 37, lag_s: 12 }),
    sink({ waiting: 1234, lag_s: 7200 }),
    sink({ waiting: 10_000, lag_s: 90 }),
  ];
  assert.deepEqual(told.map(waitingText), [
    "None",
    "37 waiting for 12 s",
    "1,234 waiting for 2 h",
    "10,000 or more waiting for 90 s",
  ]);
});

test("what was forgotten is told only where something was", () => {
  assert.deepEqual([sink(), sink({ missed: 1200 })].map(missedText), [
    "",
    "1,200 were forgotten before they could be sent",
  ]);
});

test("what was delivered is told with when", () => {
  assert.equal(deliveredText(sink({ delivered: 0 })), "0");
  const last = new Date();
  assert.match(deliveredText(sink({ delivered_at: last.toISOString() })), /^391, last \d\d:\d\d:\d\d$/);
});

test("which events go there is told in words, and long lists are cut short", () => {
  /** @param {string} stream */
  const called = (stream) => (stream === "door" ? "Main door" : stream);
  assert.deepEqual(wantedTexts(sink(), called), ["All events"]);
  assert.deepEqual(
    wantedTexts(
      sink({
        types: ["footfall.crossing.v1", "footfall.new.v9"],
        streams: ["door", "a", "b", "c", "d"],
        sites: ["Berlin", "Fürth", "Kiel", "Ulm"],
      }),
      called,
    ),
    ["Crossings, footfall.new.v9", "of Main door, a, b and 2 more", "in Berlin, Fürth, Kiel, Ulm"],
  );
});

test("types that are chosen can be unchosen, even those that the page does not know; tests are no choice", () => {
  const types = typesOffered(["footfall.new.v9", "footfall.queue.v1"]);
  assert.deepEqual(types[0], ["footfall.crossing.v1", "Crossings"]);
  assert.deepEqual(types.at(-1), ["footfall.new.v9", "footfall.new.v9"]);
  assert.equal(types.filter(([type]) => type === "footfall.queue.v1").length, 1);
  assert.ok(!types.some(([type]) => type === "footfall.test.v1"));
});

test("a list is typed with commas, in any way", () => {
  assert.deepEqual(listOf(" door,till ,, door,"), ["door", "till"]);
  assert.deepEqual(listOf(""), []);
  assert.deepEqual(listOf('"Hamburg, Altona", Berlin'), ["Hamburg, Altona", "Berlin"]);
  assert.deepEqual(listOf('"Hamburg, Alt'), ["Hamburg, Alt"]);
});

test("a list comes back as it was", () => {
  for (const list of [[], ["door"], ["Hamburg, Altona", "Berlin", "3rd floor"], ['the "old" mill, left', '"a"', 'x"']])
    assert.deepEqual(listOf(listText(list)), list);
});

test("a list is completed by what is known and not in it yet", () => {
  const known = ["door", "gate", "till", "till-2"];
  assert.deepEqual(completions("", known), known);
  assert.deepEqual(completions("TI", known), ["till", "till-2"]);
  assert.deepEqual(completions("door, till", known), ["door, till", "door, till-2"]);
  assert.deepEqual(completions("door,", known), ["door, gate", "door, till", "door, till-2"]);
  assert.deepEqual(completions("x", known), []);
  assert.deepEqual(completions("Ham", ["Hamburg, Altona"]), ['"Hamburg, Altona"']);
});

test("what cannot be an id of a stream is named", () => {
  assert.equal(mistakeInStreams(["door", "till_2"]), null);
  assert.equal(
    mistakeInStreams(["door", "two words", "-x"]),
    "These are no ids: two words, -x. Separate ids with commas.",
  );
});

test("what is wanted of a sink is sent back without how it is, and with its secrets as they were shown", () => {
  assert.deepEqual(wantedOf(sink({ types: ["footfall.queue.v1"] })), {
    name: "Light",
    enabled: true,
    types: ["footfall.queue.v1"],
    streams: [],
    sites: [],
    target: { type: "webhook", url: "http://192.0.2.1/", secret: "***" },
  });
});

/** @param {number} after */
async function page(after) {
  return [{ number: 1 }, { number: 2 }, { number: 5 }, { number: 9 }]
    .filter(({ number }) => number > after)
    .slice(0, 3);
}

test("dead letters are sent one after the other, over all pages", async () => {
  /** @type {number[]} */
  const sent = [];
  /** @type {number[]} */
  const told = [];
  await sendAll(
    page,
    async (number) => sent.push(number),
    (count) => told.push(count),
  );
  assert.deepEqual(sent, [1, 2, 5, 9]);
  assert.deepEqual(told, [1, 2, 3, 4]);
});

test("the first dead letter that does not arrive ends it", async () => {
  /** @type {number[]} */
  const tried = [];
  const sending = sendAll(
    page,
    async (number) => {
      tried.push(number);
      if (number === 2) throw new Error("answers 422");
    },
    () => {},
  );
  await assert.rejects(sending, /answers 422/);
  assert.deepEqual(tried, [1, 2]);
});
