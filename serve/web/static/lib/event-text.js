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
  "footfall.stream-state.v1": "States of cameras",
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
    case "footfall.stream-state.v1":
      return data.error
        ? `${stateWord({ state: data.state })}. ${sentence(data.error)}`
        : stateWord({ state: data.state });
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
  return data.over === true || event.type === "footfall.dwell-exceeded.v1" || Boolean(data.error_code);
}
