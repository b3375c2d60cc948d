import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { mistakeIn, planForm, rangeOf, readForm, stepOf } from "../../serve/web/static/lib/form-plan.js";

/** @import { Document, FieldPlan, Typed } from "../../serve/web/static/lib/form-plan.js" */
/** @import { Schema } from "../../serve/web/types/schema.js" */

/** @type {{ type: string, schema: Schema }[]} */
const KINDS = JSON.parse(readFileSync(new URL("source-types.json", import.meta.url), "utf8"));

/** @param {string} type */
function schemaOf(type) {
  const kind = KINDS.find((one) => one.type === type);
  assert.ok(kind);
  return kind.schema;
}

/**
 * A schema of one property.
 *
 * @param {Schema} value
 * @param {Document | null} known
 */
function fieldOf(value, known = null) {
  const [field] = planForm({ type: "object", properties: { it: value } }, known);
  return field;
}

/**
 * What the form makes where somebody has typed some of its fields.
 *
 * @param {FieldPlan[]} fields
 * @param {Record<string, Typed>} typed
 * @param {Document} known
 */
function filled(fields, typed, known = {}) {
  return readForm(fields, (field) => typed[field.key] ?? field.initial, known);
}

test("fields come in the order of the schema, with what they say; the type is none of them", () => {
  const fields = planForm(schemaOf("rtsp"), null);
  assert.deepEqual(
    fields.map(({ key, label, control, advanced }) => [key, label, control, advanced]),
    [
      ["url", "Address", "address", false],
      ["transport", "Transport", "select", true],
      ["verify_tls", "Check the certificate of an rtsps camera", "tick", true],
    ],
  );
  assert.match(fields[0].hint ?? "", /never shown again/);
  assert.equal(fields[0].placeholder, "rtsp://user:password@camera.example.invalid/stream1");
  assert.deepEqual(fields[1].options, [
    ["tcp", "TCP (recommended)"],
    ["udp", "UDP"],
  ]);
});

test("a form that nobody has touched makes the document of the defaults", () => {
  assert.deepEqual(filled(planForm(schemaOf("kafka"), null), { brokers: "b:9092", topic: "t" }), {
    brokers: "b:9092",
    topic: "t",
    key: null,
    start: "latest",
    username: null,
    password: null,
    mechanism: "SCRAM-SHA-512",
    tls: false,
  });
});

test("the fields of an object within are fields of the form, and are read back into it", () => {
  const fields = planForm(schemaOf("simulator"), null);
  assert.deepEqual(
    fields.map(({ key }) => key),
    ["seed", "people", "width", "height", "fps", "seconds", "overlap"].map((name) => `scene.${name}`),
  );
  const { scene } = filled(fields, { "scene.people": "12", "scene.overlap": "0.5" });
  assert.deepEqual(scene, { seed: 0, people: 12, width: 640, height: 360, fps: 15, seconds: 60, overlap: 0.5 });
});

test("an object may be written in its place, or referred to with words of its own", () => {
  const scene = { type: "object", properties: { people: { type: "integer", default: 6 } } };
  const written = planForm({ properties: { scene } }, null);
  const referred = planForm(
    {
      $defs: { Scene: scene },
      properties: { scene: { allOf: [{ $ref: "#/$defs/Scene" }], default: { people: 9 }, "x-advanced": true } },
    },
    null,
  );
  assert.deepEqual([written[0].key, written[0].initial, written[0].advanced], ["scene.people", "6", false]);
  assert.deepEqual([referred[0].key, referred[0].initial, referred[0].advanced], ["scene.people", "9", true]);
});

test("what is known goes before defaults, null included", () => {
  /** @type {Schema} */
  const optional = { anyOf: [{ type: "number" }, { type: "null" }], default: 6 };
  assert.equal(fieldOf(optional).initial, "6");
  assert.equal(fieldOf(optional, { it: 3 }).initial, "3");
  assert.equal(fieldOf(optional, { it: null }).initial, "");
  assert.equal(fieldOf({ type: "boolean", default: true }, { it: false }).initial, false);
});

test("a saved document comes back as it was, with what no field shows", () => {
  const recording = { type: "file", path: "/a.mp4", realtime: false, start_s: 1_790_510_400 };
  const fields = planForm(schemaOf("file"), recording);
  assert.deepEqual(
    fields.map(({ key }) => key),
    ["path", "realtime"],
  );
  assert.deepEqual(filled(fields, {}, recording), recording);
  const scene = { type: "simulator", scene: { seed: 1, people: 2, later: "unknown here" } };
  const made = filled(planForm(schemaOf("simulator"), scene), {}, scene);
  assert.equal(/** @type {Document} */ (made.scene).later, "unknown here");
});

test("the known document is not touched", () => {
  const known = { type: "simulator", scene: { people: 2 } };
  filled(planForm(schemaOf("simulator"), known), { "scene.people": "40" }, known);
  assert.deepEqual(known, { type: "simulator", scene: { people: 2 } });
});

test("empty stands for null where null is a value", () => {
  const key = planForm(schemaOf("kafka"), null).find((field) => field.key === "key");
  assert.ok(key?.optional);
  assert.equal(mistakeIn(key, "  "), null);
  assert.equal(filled([key], { key: " " }).key, null);
});

test("what is needed and missing is said in the schema's words, or in plain ones", () => {
  const [brokers, topic] = planForm(schemaOf("kafka"), null);
  assert.equal(mistakeIn(brokers, " "), "At least one broker is needed.");
  assert.equal(mistakeIn(topic, ""), "Topic is needed.");
  assert.equal(mistakeIn(topic, "frames"), null);
});

test("a text that may be empty may be empty", () => {
  assert.equal(mistakeIn(fieldOf({ title: "Note", type: "string", default: "" }), ""), null);
});

test("lengths and patterns are told before anything is asked", () => {
  const topic = planForm(schemaOf("kafka"), null)[1];
  assert.equal(mistakeIn(topic, "two words"), "It must match ^[A-Za-z0-9._-]+$.");
  assert.equal(mistakeIn(topic, "x".repeat(250)), "At most 249 characters.");
  assert.equal(mistakeIn(fieldOf({ type: "string", minLength: 3 }), "ab"), "At least 3 characters.");
  const address = fieldOf({ type: "string", pattern: "^rtsps?://", "x-placeholder": "rtsp://192.0.2.10/" });
  assert.equal(mistakeIn(address, "http://x"), "It must look like rtsp://192.0.2.10/.");
});

test("a pattern that only the service can read is left to it", () => {
  assert.equal(mistakeIn(fieldOf({ type: "string", pattern: "(?P<a>x)" }), "y"), null);
});

test("numbers outside their bounds or beside their steps are told with the bounds", () => {
  const fields = planForm(schemaOf("simulator"), null);
  const by = Object.fromEntries(fields.map((field) => [field.path[1], field]));
  assert.equal(mistakeIn(by.people, "61"), "A whole number between 0 and 60 is needed.");
  assert.equal(mistakeIn(by.people, "1.5"), "A whole number between 0 and 60 is needed.");
  assert.equal(mistakeIn(by.people, ""), "A whole number between 0 and 60 is needed.");
  assert.equal(mistakeIn(by.people, "?"), "A whole number between 0 and 60 is needed.");
  assert.equal(mistakeIn(by.width, "641"), "A number between 64 and 7680 is needed, and an even one.");
  assert.equal(mistakeIn(by.fps, "0.5"), "A number between 1 and 60 is needed.");
  assert.deepEqual(
    [by.people, by.width, by.fps].map((field) => mistakeIn(field, "64")),
    ["A whole number between 0 and 60 is needed.", null, "A number between 1 and 60 is needed."],
  );
});

test("bounds on one side, and bounds that do not belong to the range", () => {
  assert.equal(mistakeIn(fieldOf({ type: "number", minimum: 2 }), "1"), "A number of at least 2 is needed.");
  assert.equal(
    mistakeIn(fieldOf({ type: "number", exclusiveMinimum: 0, maximum: 120 }), "0"),
    "A number of at most 120 and of more than 0 is needed.",
  );
  assert.equal(mistakeIn(fieldOf({ type: "number", multipleOf: 0.1 }), "0.3"), null);
  assert.equal(mistakeIn(fieldOf({ type: "number", multipleOf: 0.5 }), "0.3"), "A number is needed, in steps of 0.5.");
});

test("an optional number may be empty but not nonsense", () => {
  const field = fieldOf({ anyOf: [{ type: "number", exclusiveMinimum: 0 }, { type: "null" }] });
  assert.equal(mistakeIn(field, ""), null);
  assert.equal(mistakeIn(field, "?"), "A number of more than 0 is needed.");
});

test("controls step over the numbers that fit", () => {
  assert.deepEqual(rangeOf({ type: "integer", minimum: 1, maximum: 9, multipleOf: 2 }), { min: 2, max: 9 });
  assert.deepEqual(rangeOf({ type: "number", exclusiveMinimum: 0 }), { min: 0, max: null });
  assert.deepEqual([stepOf({ type: "integer" }), stepOf({ type: "number" })], [1, null]);
});

test("a choice among numbers gives numbers, and one that may be left open has a way to do so", () => {
  const field = fieldOf({ anyOf: [{ type: "integer", enum: [8, 16] }, { type: "null" }] });
  assert.deepEqual(field.options, [
    ["", "–"],
    ["8", "8"],
    ["16", "16"],
  ]);
  assert.equal(filled([field], { it: "16" }).it, 16);
  assert.equal(filled([field], { it: "" }).it, null);
});

test("secrets are masked, but not an address that holds one", () => {
  assert.equal(fieldOf({ type: "string", writeOnly: true }).control, "password");
  assert.equal(fieldOf({ type: "string", format: "password" }).control, "password");
  assert.equal(fieldOf({ type: "string", format: "uri", writeOnly: true }).control, "address");
});

test("white space is cut off around a text, not around a password", () => {
  assert.equal(filled([fieldOf({ type: "string" })], { it: " a " }).it, "a");
  assert.equal(filled([fieldOf({ type: "string", format: "password" })], { it: " a " }).it, " a ");
});
