/** Sinks in words, and what people type of them. */

/** @import { SinkBody, SinkTarget, SinkView } from "../../types/documents.js" */

import { KINDS } from "./event-text.js";
import { isId } from "./names.js";
import { amount, duration, moment } from "./times.js";

/** Of more events that wait, the API counts no more than these. */
const MOST_COUNTED = 10_000;
/** So long may it take until a new sink, or one that was changed, is somebody's business. */
const START_MS = 4000;
/** Names that are told before it is only said how many more there are. */
const MOST_NAMED = 3;
const MOST_SUGGESTED = 50;

/** @typedef {"delivering" | "error" | "off" | "starting" | "unattended"} SinkState */

/** @type {Record<SinkState, string>} */
export const SINK_STATES = {
  delivering: "Delivering",
  error: "Not arriving",
  off: "Off",
  starting: "Starting",
  unattended: "Nobody delivers",
};

/**
 * @param {Pick<SinkView, "enabled" | "error" | "deliverer">} view
 * @param {number} aloneMs for how long it has been seen without anybody who delivers
 * @returns {SinkState}
 */
export function sinkState({ enabled, error, deliverer }, aloneMs) {
  if (!enabled) return "off";
  if (deliverer === null) return aloneMs < START_MS ? "starting" : "unattended";
  return error === null ? "delivering" : "error";
}

/** @param {Pick<SinkView, "waiting" | "lag_s">} view */
export function waitingText({ waiting, lag_s }) {
  if (waiting === 0) return "None";
  const many = waiting >= MOST_COUNTED ? `${amount(MOST_COUNTED)} or more` : amount(waiting);
  return `${many} waiting for ${duration(lag_s)}`;
}

/** @param {Pick<SinkView, "delivered" | "delivered_at">} view */
export function deliveredText({ delivered, delivered_at }) {
  return delivered_at === null ? amount(delivered) : `${amount(delivered)}, last ${moment(Date.parse(delivered_at))}`;
}

/** @param {Pick<SinkView, "missed">} view */
export function missedText({ missed }) {
  return missed === 0 ? "" : `${amount(missed)} were forgotten before they could be sent`;
}

/**
 * Which events go there, part by part; one text for all of them.
 *
 * @param {Pick<SinkView, "types" | "streams" | "sites">} view
 * @param {(stream: string) => string} called how people call a stream
 */
export function wantedTexts({ types, streams, sites }, called) {
  return [
    types.length ? shortened(types.map(typeWords)) : "All events",
    streams.length > 0 && `of ${shortened(streams.map(called))}`,
    sites.length > 0 && `in ${shortened(sites)}`,
  ].filter((text) => text !== false);
}

/** @param {string[]} names */
function shortened(names) {
  const left = names.length - MOST_NAMED;
  return left > 1 ? `${names.slice(0, MOST_NAMED).join(", ")} and ${left} more` : names.join(", ");
}

/** @param {string} type of events */
function typeWords(type) {
  return KINDS[type] ?? type;
}

/**
 * The types that can be chosen, with their words: those that happen, and those that are chosen already.
 *
 * @param {string[]} chosen
 * @returns {[string, string][]}
 */
export function typesOffered(chosen) {
  return [...new Set([...Object.keys(KINDS), ...chosen])].map((type) => [type, typeWords(type)]);
}

// -- lists in a field

/**
 * What stands between commas, each once. In double quotes commas are part of a name; a double quote in it is doubled.
 *
 * @param {string} text
 */
export function listOf(text) {
  const parts = text.match(/(?:[^,"]|"(?:[^"]|"")*(?:"|$))+/g) ?? [];
  return [...new Set(parts.map(unquoted).filter(Boolean))];
}

/** @param {string} part */
function unquoted(part) {
  const name = part.trim();
  return name.startsWith('"') ? name.replace(/^"|"$/g, "").replaceAll('""', '"') : name;
}

/** @param {string[]} list */
export function listText(list) {
  return list.map((one) => (/[,"]/.test(one) ? `"${one.replaceAll('"', '""')}"` : one)).join(", ");
}

/**
 * What a field with a list may be completed to: what stands before its last comma, and one of what is known.
 *
 * @param {string} text
 * @param {string[]} known
 */
export function completions(text, known) {
  const typed = listOf(text);
  const ended = /(^|,)\s*$/.test(text);
  const before = ended ? typed : typed.slice(0, -1);
  const begun = ended ? "" : (typed.at(-1) ?? "").toLowerCase();
  return known
    .filter((one) => !before.includes(one) && one.toLowerCase().includes(begun))
    .slice(0, MOST_SUGGESTED)
    .map((one) => listText([...before, one]));
}

/**
 * What is wrong with ids of streams; null if nothing is.
 *
 * @param {string[]} streams
 */
export function mistakeInStreams(streams) {
  const wrong = streams.filter((one) => !isId(one));
  return wrong.length ? `These are no ids: ${shortened(wrong)}. Separate ids with commas.` : null;
}

// -- documents

/**
 * What is wanted of a sink that the API has told of; its secrets stand in it as they were shown, which keeps them.
 *
 * @param {SinkView} view
 * @returns {SinkBody}
 */
export function wantedOf({ name, enabled, types, streams, sites, target }) {
  return {
    name,
    enabled,
    types: /** @type {SinkBody["types"]} */ (types),
    streams,
    sites,
    target: /** @type {SinkTarget} */ (/** @type {unknown} */ (target)),
  };
}

// -- dead letters

/**
 * Send all dead letters again, one after the other; the first that does not arrive ends it, with its error.
 *
 * @param {(after: number) => Promise<{ number: number }[]>} page those with larger numbers, or some of them
 * @param {(number: number) => Promise<unknown>} send
 * @param {(sent: number) => void} tell is told after each
 */
export async function sendAll(page, send, tell) {
  let sent = 0;
  for (let letters = await page(0); letters.length; letters = await page(letters[letters.length - 1].number))
    for (const { number } of letters) {
      await send(number);
      tell((sent += 1));
    }
}
