/** The fields of each kind of source, and the part of the API's document that they make. */

import { el } from "../lib/dom.js";
import { field, select } from "./fields.js";

export const SOURCES = [
  ["rtsp", "RTSP camera"],
  ["kafka", "Kafka topic"],
  ["file", "Recording"],
  ["simulator", "Simulator"],
];

const HIDDEN = "***";
const text = { autocomplete: "off", autocapitalize: "none", spellcheck: "false" };

/** Name in the document, label, control, hint, and how the value is read. */
const FIELDS = {
  rtsp: [
    {
      name: "url",
      label: "Address",
      needed: "An address such as rtsp://192.0.2.10/stream1 is needed.",
      hint: "With user and password where the camera asks for them; they are never shown again.",
      make: (value) =>
        el("input", {
          ...text,
          inputmode: "url",
          placeholder: "rtsp://user:password@192.0.2.10/stream1",
          value: value ?? "",
        }),
    },
    {
      name: "transport",
      label: "Transport",
      more: true,
      make: (value) =>
        select(
          [
            ["tcp", "TCP (recommended)"],
            ["udp", "UDP"],
          ],
          value ?? "tcp",
        ),
    },
    { name: "verify_tls", label: "Check the certificate of an rtsps camera", more: true, check: true },
  ],
  kafka: [
    {
      name: "brokers",
      label: "Brokers",
      needed: "At least one broker is needed.",
      hint: "host:port, several separated by commas",
      make: (value) => el("input", { ...text, placeholder: "kafka.example:9092", value: value ?? "" }),
    },
    {
      name: "topic",
      label: "Topic",
      needed: "A topic is needed.",
      make: (value) => el("input", { ...text, maxlength: "249", value: value ?? "" }),
    },
    {
      name: "key",
      label: "Key",
      hint: "Key of this camera's messages. Empty: all messages of the topic.",
      optional: true,
      make: (value) => el("input", { ...text, value: value ?? "" }),
    },
    {
      name: "start",
      label: "Begin the first time at",
      more: true,
      make: (value) =>
        select(
          [
            ["latest", "the newest message"],
            ["earliest", "the oldest message"],
          ],
          value ?? "latest",
        ),
    },
    {
      name: "username",
      label: "User",
      more: true,
      optional: true,
      make: (value) => el("input", { ...text, value: value ?? "" }),
    },
    {
      name: "password",
      label: "Password",
      more: true,
      optional: true,
      make: (value) => el("input", { ...text, type: "password", autocomplete: "off", value: value ?? "" }),
    },
    {
      name: "mechanism",
      label: "Log-in",
      more: true,
      make: (value) =>
        select(
          ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"].map((m) => [m, m]),
          value ?? "SCRAM-SHA-512",
        ),
    },
    { name: "tls", label: "Encrypt the connection (TLS)", more: true, check: true },
  ],
  file: [
    {
      name: "path",
      label: "Path",
      needed: "The path of a video file is needed.",
      hint: "On the machine of the reader, not on yours.",
      make: (value) => el("input", { ...text, placeholder: "/recordings/monday.mp4", value: value ?? "" }),
    },
    { name: "realtime", label: "Play at the recording's own speed", check: true, on: true },
  ],
  simulator: [
    number("people", "People at a time", 6, { min: 0, max: 60, step: 1 }),
    number("seed", "Seed", 0, { min: 0, step: 1 }, "The same seed shows the same people."),
    number("width", "Width (pixels)", 640, { min: 64, max: 3840, step: 2 }, null, true),
    number("height", "Height (pixels)", 360, { min: 64, max: 2160, step: 2 }, null, true),
    number("fps", "Frames a second", 15, { min: 1, max: 60, step: "any" }, null, true),
    number("seconds", "Seconds until it repeats", 60, { min: 2, max: 3600, step: "any" }, null, true),
    number("overlap", "Largest hidden share of a person", 0.3, { min: 0, max: 1, step: "any" }, null, true),
  ],
};

function number(name, label, value, limits, hint = null, more = false) {
  const range = limits.max === undefined ? `at least ${limits.min}` : `between ${limits.min} and ${limits.max}`;
  return {
    name,
    label,
    hint,
    more,
    number: true,
    wrong: `A number ${range} is needed${limits.step === 2 ? ", and an even one" : ""}.`,
    make: (known) => el("input", { type: "number", required: true, ...limits, value: known ?? value }),
  };
}

/** ``known`` is the source as the API shows it, when a camera is changed. */
export function sourceForm(type, known) {
  const within = type === "simulator" ? "source.scene" : "source";
  const values = type === "simulator" ? known?.scene : known;
  const made = FIELDS[type].map((spec) => ({ spec, ...control(spec, values?.[spec.name], `${within}.${spec.name}`) }));
  const more = made.filter(({ spec }) => spec.more).map(({ box }) => box);
  const element = el(
    "div",
    { class: "fields" },
    made.filter(({ spec }) => !spec.more).map(({ box }) => box),
    more.length > 0 &&
      el("details", { class: "more" }, el("summary", null, "More settings"), el("div", { class: "fields" }, more)),
  );
  const read = () => Object.fromEntries(made.map(({ spec, input }) => [spec.name, valueOf(spec, input)]));
  const first = JSON.stringify(read());
  return {
    element,
    get changed() {
      return JSON.stringify(read()) !== first;
    },
    /** Whether a part is as the API hides it: it can be saved again, but not tried. */
    get hidden() {
      return made.some(({ spec, input }) => !spec.check && !spec.number && input.value.includes(HIDDEN));
    },
    /** The source as the API wants it; what this form does not show stays as it was. */
    value() {
      if (type === "simulator") return { type, scene: { ...values, ...read() } };
      return { type, ...(known ?? {}), ...read() };
    },
    /** Pairs of a field's name and what is wrong with it. */
    missing() {
      return made.flatMap(({ spec, input, name }) => {
        if (spec.needed && !input.value.trim()) return [[name, spec.needed]];
        return spec.number && !input.checkValidity() ? [[name, spec.wrong]] : [];
      });
    },
  };
}

function control(spec, value, name) {
  if (spec.check) {
    const input = el("input", { type: "checkbox", checked: value ?? spec.on ?? false });
    return { input, name, box: el("label", { class: "check" }, input, el("span", null, spec.label)) };
  }
  const input = spec.make(value);
  return { input, name, box: field(spec.label, input, { hint: spec.hint, name }) };
}

function valueOf(spec, input) {
  if (spec.check) return input.checked;
  if (spec.number) return input.valueAsNumber;
  const value = input.value.trim();
  return spec.optional && !value ? null : value;
}
