/** What can be shown only once the service has answered. */

import { problemOf } from "../lib/api.js";
import { el } from "../lib/dom.js";
import { sentence } from "../lib/status.js";

/**
 * Say what is asked for, then show what was made of it, or why there is nothing, with a way to ask again.
 *
 * @param {HTMLElement} body
 * @param {string} text
 * @param {() => Promise<Node | null>} make gives null if nobody waits any more
 */
export async function showLoaded(body, text, make) {
  body.replaceChildren(el("p", { class: "muted", role: "status" }, text));
  try {
    const made = await make();
    if (made) body.replaceChildren(made);
  } catch (error) {
    const words = sentence(problemOf(error).message);
    const again = () => showLoaded(body, text, make);
    const button = el("button", { type: "button", class: "button", onclick: again }, "Try again");
    body.replaceChildren(el("div", { class: "message", role: "alert" }, el("p", null, words), button));
  }
}
