/** Events in words. */

/** @import { ServiceEvent } from "../../types/documents.js" */

import { sentence, stateWord } from "./status.js";
import { duration } from "./times.js";

/** @type {Record<string, string>} */
export const KINDS = {
  "footfall.crossing.v1": "Crossings",
  "footfall.zone-entry.v1": "Entries of zones",
  "footfall.zone-exit.v1": "Exits of zones",
  "footfall.dwell-exceeded.v1": "Long stays",
  "footfall.queue.v1": "Queues",
  "footfall.occupancy.v1": "Occupancy",
  "footfall.site-occupancy.v1": "Occupancy of sites",
  "footfall.stream-state.v1": "States of cameras",
  "footfall.alert-raised.v1": "Alerts",
  "footfall.alert-cleared.v1": "Ends of alerts",
};

/**
 * What happened, in a few words; what is not known is told by its type.
 *
 * @param {ServiceEvent} event
 */
export function eventText(event) {
  const data = /** @type {Record<string, any>} */ (event.data);
  switch (event.type) {
    case "footfall.crossing.v1":
      return `Somebody crossed ${data.line}: ${data.direction}`;
    case "footfall.zone-entry.v1":
      return `Somebody came into ${data.zone}`;
    case "footfall.zone-exit.v1":
      return `Somebody left ${data.zone} after ${duration(data.dwell_s)}`;
    case "footfall.dwell-exceeded.v1":
      return `Somebody has been in ${data.zone} for ${duration(data.dwell_s)}`;
    case "footfall.queue.v1":
      return data.over ? `${people(data.people)} waiting in ${data.zone}` : `The queue in ${data.zone} is short again`;
    case "footfall.occupancy.v1":
      return data.over ? `${people(data.people)} in ${data.zone}` : `There is room in ${data.zone} again`;
    case "footfall.site-occupancy.v1":
      return data.over ? `${people(data.people)} in ${event.subject}` : `There is room in ${event.subject} again`;
    case "footfall.stream-state.v1":
      return data.error
        ? `${stateWord({ state: data.state })}. ${sentence(data.error)}`
        : stateWord({ state: data.state });
    case "footfall.alert-raised.v1":
      return `${sentence(data.summary)} ${sentence(data.detail ?? "")}`.trim();
    case "footfall.alert-cleared.v1":
      return `Over: ${data.summary}`;
    case "footfall.test.v1":
      return `A test of the sink ${data.sink}`;
    default:
      return event.type;
  }
}

/** @param {number} count */
function people(count) {
  return count === 1 ? "1 person" : `${count} people`;
}

/**
 * Whether somebody should look at it.
 *
 * @param {ServiceEvent} event
 */
export function isTrouble(event) {
  const data = /** @type {Record<string, any>} */ (event.data);
  if (event.type === "footfall.alert-raised.v1") return true;
  return data.over === true || event.type === "footfall.dwell-exceeded.v1" || Boolean(data.error_code);
}
