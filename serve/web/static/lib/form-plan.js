/**
 * Forms planned from JSON Schema: which fields there are, what they say, and the document that they make.
 *
 * Knows no page. What was typed is text, and what was ticked is true or false; everything else about a value is here.
 */

/** @import { Scalar, Schema } from "../../types/schema.js" */

/** @typedef {Record<string, unknown>} Document */
/** @typedef {string | boolean} Typed what a control holds */

/**
 * @typedef {object} FieldPlan
 * @property {string[]} path names from the document down to the value
 * @property {string} key the path in one word, such as scene.people
 * @property {"text" | "address" | "password" | "number" | "tick" | "select"} control
 * @property {string} label
 * @property {string | null} hint
 * @property {string | null} placeholder
 * @property {Typed} initial
 * @property {[string, string][]} options of a select: value and text
 * @property {boolean} advanced goes under "More settings"
 * @property {boolean} optional empty stands for null
 * @property {string | null} needed what is said when it is empty; null where it may be
 * @property {Schema} schema of the value
 */

/**
 * The fields of a document, as they are shown at first.
 *
 * @param {Schema} schema
 * @param {Document | null} known the document that is changed, if there is one
 * @returns {FieldPlan[]}
 */
export function planForm(schema, known) {
  return fieldsOf(schema, schema.$defs ?? {}, [], known ?? {}, {});
}

/**
 * @param {Schema} schema of an object
 * @param {Record<string, Schema>} definitions
 * @param {string[]} path
 * @param {Document} known
 * @param {Document} defaults of the object, which go before those of its parts
 * @returns {FieldPlan[]}
 */
function fieldsOf(schema, definitions, path, known, defaults) {
  return Object.entries(schema.properties ?? {}).flatMap(([name, written]) => {
    const { optional, schema: value } = resolved(written, definitions);
    if (value.const !== undefined || value["x-hidden"]) return [];
    const given = Object.hasOwn(known, name) ? known[name] : (defaults[name] ?? value.default);
    if (value.properties) {
      const inner = fieldsOf(value, definitions, [...path, name], asDocument(known[name]), asDocument(given));
      return value["x-advanced"] ? inner.map((field) => ({ ...field, advanced: true })) : inner;
    }
    return [planField([...path, name], value, optional, Boolean(schema.required?.includes(name)), given ?? null)];
  });
}

/**
 * @param {string[]} path
 * @param {Schema} schema
 * @param {boolean} optional
 * @param {boolean} required
 * @param {unknown} given
 * @returns {FieldPlan}
 */
function planField(path, schema, optional, required, given) {
  const control = controlOf(schema);
  const label = schema.title ?? path.at(-1) ?? "";
  const empty = control === "tick" || optional ? null : needOf(schema, label, control === "number" || required);
  return {
    path,
    key: path.join("."),
    control,
    label,
    hint: schema.description ?? null,
    placeholder: schema["x-placeholder"] ?? null,
    initial: control === "tick" ? given === true : textOf(given),
    options: control === "select" ? optionsOf(schema, optional) : [],
    advanced: schema["x-advanced"] === true,
    optional,
    needed: empty,
    schema,
  };
}

/**
 * What is said where a value is missing; null if nothing is wrong with that.
 *
 * @param {Schema} schema
 * @param {string} label
 * @param {boolean} required
 */
function needOf(schema, label, required) {
  if (schema["x-needed"]) return schema["x-needed"];
  if (schema.type === "number" || schema.type === "integer") return numberWanted(schema);
  return required || (schema.minLength ?? 0) > 0 ? `${label} is needed.` : null;
}

/**
 * @param {Schema} schema
 * @returns {FieldPlan["control"]}
 */
function controlOf(schema) {
  if (schema.enum) return "select";
  if (schema.type === "boolean") return "tick";
  if (schema.type === "number" || schema.type === "integer") return "number";
  // An address holds its password in its middle, so that hiding all of it would hide what must be checked by eye.
  if (schema.format === "uri") return "address";
  return schema.format === "password" || schema.writeOnly ? "password" : "text";
}

/**
 * @param {Schema} schema
 * @param {boolean} optional
 * @returns {[string, string][]}
 */
function optionsOf(schema, optional) {
  const labels = schema["x-labels"] ?? {};
  /** @type {[string, string][]} */
  const options = (schema.enum ?? []).map((value) => [textOf(value), labels[textOf(value)] ?? textOf(value)]);
  return optional ? [["", "–"], ...options] : options;
}

/**
 * A schema with its references followed, and whether null is a value of it too.
 *
 * What stands beside a reference goes before what it leads to, as titles and defaults of a place do.
 *
 * @param {Schema} written
 * @param {Record<string, Schema>} definitions
 * @returns {{ schema: Schema, optional: boolean }}
 */
function resolved(written, definitions) {
  const { $ref, allOf, anyOf, ...beside } = written;
  const referred = $ref === undefined ? undefined : definitions[$ref.replace(/^#\/\$defs\//, "")];
  const kinds = (anyOf ?? []).filter((one) => one.type !== "null");
  const parts = [referred, ...(allOf ?? []), kinds[0]].filter((part) => part !== undefined);
  const found = parts.map((part) => resolved(part, definitions));
  return {
    schema: Object.assign({}, ...found.map(({ schema }) => schema), beside),
    optional: kinds.length < (anyOf ?? []).length || found.some(({ optional }) => optional),
  };
}

// -- values

/**
 * The document of what was typed, by the keys of the fields; what no field shows stays as it was.
 *
 * @param {FieldPlan[]} fields
 * @param {(field: FieldPlan) => Typed} typed
 * @param {Document} known
 */
export function readForm(fields, typed, known) {
  const document = structuredClone(known);
  for (const field of fields) {
    let place = document;
    for (const name of field.path.slice(0, -1)) {
      const inner = asDocument(place[name]);
      place[name] = inner;
      place = inner;
    }
    place[field.path.at(-1) ?? ""] = valueOf(field, typed(field));
  }
  return document;
}

/**
 * @param {FieldPlan} field
 * @param {Typed} typed
 * @returns {Scalar}
 */
export function valueOf(field, typed) {
  if (typeof typed === "boolean") return typed;
  // White space around a password may belong to it; elsewhere it has slipped in.
  const text = field.control === "password" ? typed : typed.trim();
  if (text === "" && field.optional) return null;
  if (field.control === "number") return text === "" ? NaN : Number(text);
  if (field.control === "select") return (field.schema.enum ?? []).find((value) => textOf(value) === text) ?? text;
  return text;
}

/**
 * What is wrong with what was typed, as far as that is known before asking; null if nothing is.
 *
 * @param {FieldPlan} field
 * @param {Typed} typed
 */
export function mistakeIn(field, typed) {
  const value = valueOf(field, typed);
  if (value === null || typeof value === "boolean") return null;
  if (value === "" || Number.isNaN(value)) {
    const empty = String(typed).trim() === "";
    return empty || field.control !== "number" ? field.needed : numberWanted(field.schema);
  }
  return typeof value === "number" ? mistakeInNumber(field.schema, value) : mistakeInText(field, value);
}

/**
 * @param {Schema} schema
 * @param {number} value
 */
function mistakeInNumber(schema, value) {
  const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = schema;
  const within = value >= minimum && value <= maximum && value > exclusiveMinimum && value < exclusiveMaximum;
  const step = stepOf(schema);
  const fits = step === null || Math.abs(value / step - Math.round(value / step)) < 1e-9;
  return within && fits ? null : numberWanted(schema);
}

/**
 * @param {FieldPlan} field
 * @param {string} value
 */
function mistakeInText({ schema, placeholder }, value) {
  if (schema.maxLength !== undefined && value.length > schema.maxLength)
    return `At most ${schema.maxLength} characters.`;
  if (schema.minLength !== undefined && value.length < schema.minLength)
    return `At least ${schema.minLength} characters.`;
  if (schema.pattern !== undefined && matches(schema.pattern, value) === false)
    return placeholder ? `It must look like ${placeholder}.` : `It must match ${schema.pattern}.`;
  return null;
}

/**
 * Whether a text matches; null for a pattern that only the service can read.
 *
 * @param {string} pattern
 * @param {string} text
 */
function matches(pattern, text) {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return null;
  }
}

/**
 * The step between the numbers that fit; null where all do.
 *
 * @param {Schema} schema
 */
export function stepOf(schema) {
  return schema.multipleOf ?? (schema.type === "integer" ? 1 : null);
}

/**
 * The least and the greatest number that a control offers.
 *
 * @param {Schema} schema
 */
export function rangeOf(schema) {
  const step = stepOf(schema);
  const min = schema.minimum ?? schema.exclusiveMinimum ?? null;
  const max = schema.maximum ?? schema.exclusiveMaximum ?? null;
  // Controls count their steps from the least number, which must therefore be a step itself.
  return { min: min !== null && step !== null ? Math.ceil(min / step) * step : min, max };
}

/** @param {Schema} schema */
function numberWanted(schema) {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const bounds = [
    minimum !== undefined && maximum === undefined && `of at least ${minimum}`,
    maximum !== undefined && minimum === undefined && `of at most ${maximum}`,
    minimum !== undefined && maximum !== undefined && `between ${minimum} and ${maximum}`,
    exclusiveMinimum !== undefined && `of more than ${exclusiveMinimum}`,
    exclusiveMaximum !== undefined && `of less than ${exclusiveMaximum}`,
  ].filter((bound) => bound !== false);
  const word = schema.type === "integer" && multipleOf !== 2 ? "A whole number" : "A number";
  const kind =
    multipleOf === 2 ? ", and an even one" : multipleOf && multipleOf !== 1 ? `, in steps of ${multipleOf}` : "";
  return `${[word, bounds.join(" and ")].filter(Boolean).join(" ")} is needed${kind}.`;
}

/** @param {unknown} value */
function textOf(value) {
  return value === null || value === undefined ? "" : String(value);
}

/**
 * @param {unknown} value
 * @returns {Document}
 */
function asDocument(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? { ...value } : {};
}
