/** Events that a sink refused: why, and what becomes of them. */

/** @import { DeadLetter, SinkView } from "../../types/documents.js" */
/** @import { MakeView } from "../../types/views.js" */

import { call, problemOf } from "../lib/api.js";
import { announce, el, first, setText } from "../lib/dom.js";
import { eventText } from "../lib/event-text.js";
import { Refresher } from "../lib/refresher.js";
import { sendAll } from "../lib/sinks.js";
import { sentence, title } from "../lib/status.js";
import { findStream } from "../lib/streams.js";
import { moment } from "../lib/times.js";
import { confirm } from "../widgets/dialogs.js";
import { Outcome } from "../widgets/outcome.js";

const INTERVAL_MS = 3000;
const PAGE = 100;
/** As many as the API gives at once. */
const MOST = 1000;
const LETTERS = "/api/v1/sinks/{sink}/dead-letters";
const LETTER = "/api/v1/sinks/{sink}/dead-letters/{number}";
const RESEND = "/api/v1/sinks/{sink}/dead-letters/{number}/resend";
const HEADS = ["Refused", "Camera", "Event", "Why", "What to do"];

/** @type {MakeView} */
export function deadLettersView(host, { id }) {
  const view = new DeadLetters(id);
  host.append(view.element);
  return { title: "Refused events", destroy: () => view.destroy() };
}

class DeadLetters {
  #id;
  #limit = PAGE;
  /** @type {Map<number, LetterRow>} */
  #rows = new Map();
  /** @type {AbortController | null} while all are sent */
  #sending = null;
  #heading = el("h1", { tabindex: "-1" }, "Refused events");
  #state = el("p", { class: "muted", role: "status" }, "Asking the service for them…");
  #all = el(
    "button",
    { type: "button", class: "button", hidden: true, onclick: () => this.#sendAll() },
    "Send all again",
  );
  #outcome = new Outcome();
  #body = el("tbody");
  #table = el(
    "table",
    { class: "stacked letters", hidden: true },
    el(
      "thead",
      null,
      el(
        "tr",
        null,
        HEADS.map((head) => el("th", { scope: "col" }, head)),
      ),
    ),
    this.#body,
  );
  #more = el(
    "button",
    { type: "button", class: "button", hidden: true, onclick: () => this.#showMore() },
    `Show ${PAGE} more`,
  );
  #refresher;

  /** @param {string} id of the sink */
  constructor(id) {
    this.#id = id;
    this.element = el(
      "div",
      { class: "dead-letters" },
      el(
        "div",
        { class: "view-head" },
        el("div", null, el("a", { class: "back", href: "#/sinks" }, "All sinks"), this.#heading, this.#state),
        el("div", { class: "actions" }, this.#all),
      ),
      this.#outcome.element,
      this.#table,
      this.#more,
    );
    this.#refresher = new Refresher(
      (signal) => this.#load(signal),
      () => INTERVAL_MS,
    );
    this.#refresher.restart();
  }

  destroy() {
    this.#sending?.abort();
    this.#refresher.destroy();
  }

  /** @param {AbortSignal} signal */
  async #load(signal) {
    const path = { sink: this.#id };
    try {
      const [view, letters] = await Promise.all([
        call("get", "/api/v1/sinks/{sink}", { path, signal }),
        call("get", LETTERS, { path, query: { limit: this.#limit }, signal }),
      ]);
      this.#render(view, letters);
    } catch (error) {
      const problem = problemOf(error);
      if (problem.status === 404) this.#gone();
      else setText(this.#state, `${problem.message} What you see may be old; trying again.`);
    }
  }

  #gone() {
    this.destroy();
    this.element.replaceChildren(
      el("h1", { tabindex: "-1" }, `There is no sink “${this.#id}”`),
      el("p", null, el("a", { href: "#/sinks" }, "All sinks")),
    );
  }

  /**
   * @param {SinkView} view
   * @param {DeadLetter[]} letters
   */
  #render(view, letters) {
    const count = Math.max(view.dead_letters, letters.length);
    setText(this.#heading, `Refused by ${title(view)}`);
    setText(this.#state, letters.length ? `${amountOf(count)}, oldest first.` : "There are none.");
    const here = new Set(letters.map((letter) => letter.number));
    for (const number of [...this.#rows.keys()]) if (!here.has(number)) this.#drop(number);
    letters.forEach((letter, place) => {
      let row = this.#rows.get(letter.number);
      if (!row) {
        row = new LetterRow(this.#id, letter, () => this.#done(letter.number));
        this.#rows.set(letter.number, row);
      }
      if (this.#body.children[place] !== row.element)
        this.#body.insertBefore(row.element, this.#body.children[place] ?? null);
    });
    this.#table.hidden = letters.length === 0;
    const over = letters.length === 0 && !this.#sending;
    if (over && this.#all === document.activeElement) this.#heading.focus();
    this.#all.hidden = over;
    this.#more.hidden = letters.length < this.#limit || this.#limit >= MOST;
  }

  #showMore() {
    this.#limit = Math.min(this.#limit + PAGE, MOST);
    this.#refresher.restart();
  }

  /** @param {number} number of a letter that is no more */
  #done(number) {
    this.#drop(number);
    this.#refresher.restart();
  }

  /**
   * Take a row away; what was focused in it is looked for in the next one.
   *
   * @param {number} number
   */
  #drop(number) {
    const element = this.#rows.get(number)?.element;
    if (!element) return;
    this.#rows.delete(number);
    const held = element.contains(document.activeElement);
    const next = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    if (held) ((next && first(next, "button")) ?? this.#heading).focus();
  }

  async #sendAll() {
    if (this.#sending) {
      this.#sending.abort();
      return;
    }
    const { signal } = (this.#sending = new AbortController());
    let sent = 0;
    setText(this.#all, "Stop");
    this.#outcome.say("Sending…");
    try {
      await sendAll(
        (after) => call("get", LETTERS, { path: { sink: this.#id }, query: { after, limit: PAGE }, signal }),
        (number) => this.#sendAgain(number, signal),
        (all) => {
          sent = all;
          this.#outcome.say(`Sending… ${sent} sent.`);
        },
      );
      this.#outcome.say(`All are sent: ${amountOf(sent)}.`, "good");
    } catch (error) {
      if (signal.aborted) this.#outcome.say(`Stopped; ${sent} sent.`);
      else this.#outcome.say(`${sent} sent; the next did not arrive. ${sentence(problemOf(error).message)}`, "bad");
    } finally {
      this.#sending = null;
      setText(this.#all, "Send all again");
    }
    this.#refresher.restart();
  }

  /**
   * @param {number} number
   * @param {AbortSignal} signal
   */
  async #sendAgain(number, signal) {
    try {
      await call("post", RESEND, { path: { sink: this.#id, number }, signal });
    } catch (error) {
      if (problemOf(error).status !== 404) throw error; // else somebody has sent it already
    }
    this.#drop(number);
  }
}

class LetterRow {
  #sink;
  #number;
  #done;
  #text;
  #outcome = new Outcome();
  element;

  /**
   * @param {string} sink
   * @param {DeadLetter} letter
   * @param {() => void} done is called once it is no more
   */
  constructor(sink, { number, at, error, event }, done) {
    this.#sink = sink;
    this.#number = number;
    this.#done = done;
    this.#text = eventText(event);
    const stream = findStream(event.stream);
    const camera = el(
      "a",
      { href: `#/cameras/${encodeURIComponent(event.stream)}` },
      stream ? title(stream) : event.stream,
    );
    const cells = [
      moment(Date.parse(at)),
      camera,
      el("div", null, el("p", null, this.#text), el("p", { class: "muted" }, moment(Date.parse(event.time)))),
      sentence(error),
      el(
        "div",
        null,
        el(
          "div",
          { class: "actions" },
          el("button", { type: "button", class: "button", onclick: () => this.#send() }, "Send again"),
          el("button", { type: "button", class: "button danger-text", onclick: () => this.#throwAway() }, "Throw away"),
        ),
        this.#outcome.element,
      ),
    ];
    this.element = el(
      "tr",
      { dataset: { letter: number } },
      cells.map((content, i) => el("td", { dataset: { label: HEADS[i] } }, el("div", null, content))),
    );
  }

  async #send() {
    const path = { sink: this.#sink, number: this.#number };
    const sent = await this.#outcome.of("Sending…", async () => {
      await call("post", RESEND, { path });
      return "";
    });
    if (!sent) return;
    announce("It has arrived.");
    this.#done();
  }

  async #throwAway() {
    const sure = await confirm({
      title: "Throw this event away?",
      text: `${this.#text}. It stays in the list of events, but the sink never gets it.`,
      action: "Throw it away",
      danger: true,
    });
    if (sure === null) return;
    const path = { sink: this.#sink, number: this.#number };
    const gone = await this.#outcome.of("Throwing it away…", async () => {
      await call("delete", LETTER, { path });
      return "";
    });
    if (gone) this.#done();
  }
}

/** @param {number} count */
function amountOf(count) {
  return count === 1 ? "1 event" : `${count} events`;
}
