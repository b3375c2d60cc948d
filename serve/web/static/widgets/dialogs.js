/** Questions that must be answered before anything goes on. */

import { el } from "../lib/dom.js";
import { field } from "./fields.js";

/** @param {HTMLDialogElement} dialog */
function show(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

/**
 * Ask before something is done that cannot be taken back.
 *
 * Resolves to null if the answer is no, else to the state of the option (true or false).
 *
 * @param {{ title: string, text: string, action: string, option?: string | null, danger?: boolean }} question
 * @returns {Promise<boolean | null>}
 */
export function confirm({ title, text, action, option = null, danger = false }) {
  return new Promise((resolve) => {
    const box = el("input", { type: "checkbox" });
    /** @type {boolean | null} */
    let answer = null;
    /** @type {HTMLDialogElement} */
    const dialog = el(
      "dialog",
      { class: "dialog", "aria-labelledby": "dialog-title" },
      el(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            answer = box.checked;
            dialog.close();
          },
        },
        el("h2", { id: "dialog-title" }, title),
        el("p", null, text),
        option && el("label", { class: "check" }, box, el("span", null, option)),
        el(
          "div",
          { class: "actions" },
          el("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Cancel"),
          el("button", { class: danger ? "button danger" : "button primary" }, action),
        ),
      ),
    );
    dialog.addEventListener("close", () => resolve(answer));
    show(dialog);
  });
}

/**
 * Ask for the service's token; resolves to what was typed.
 *
 * @param {boolean} wrong whether one was refused before
 * @returns {Promise<string>}
 */
export function askToken(wrong) {
  return new Promise((resolve) => {
    const input = el("input", { type: "password", autocomplete: "current-password", required: true });
    /** @type {HTMLDialogElement} */
    const dialog = el(
      "dialog",
      { class: "dialog", "aria-labelledby": "dialog-title" },
      el(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            dialog.close();
            resolve(input.value.trim());
          },
        },
        el("h2", { id: "dialog-title" }, "This service needs a token"),
        el(
          "p",
          null,
          wrong
            ? "That token was not accepted. Please try again."
            : "It was made with “footfall tokens create”, or is the value of FOOTFALL_API__TOKEN. It stays in this tab until the tab is closed.",
        ),
        field("Token", input),
        el("div", { class: "actions" }, el("button", { class: "button primary" }, "Continue")),
      ),
    );
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    show(dialog);
  });
}
