/** Moments and amounts as people read them. */

export const BROWSER_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const LOCALE = "en-GB";
/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * @param {string} zone
 * @param {Intl.DateTimeFormatOptions} options
 */
function format(zone, options) {
  const key = zone + JSON.stringify(options);
  const made = formats.get(key) ?? new Intl.DateTimeFormat(LOCALE, { timeZone: zone, ...options });
  formats.set(key, made);
  return made;
}

export function zones() {
  const known = Intl.supportedValuesOf("timeZone");
  return [...new Set([BROWSER_ZONE, "UTC", ...known])];
}

/** @param {string} zone */
export function isZone(zone) {
  try {
    return Boolean(new Intl.DateTimeFormat(LOCALE, { timeZone: zone }));
  } catch {
    return false;
  }
}

/** @param {number} ms */
export function clock(ms, zone = BROWSER_ZONE) {
  return format(zone, { hour: "2-digit", minute: "2-digit" }).format(ms);
}

/** @param {number} ms */
export function clockWithSeconds(ms, zone = BROWSER_ZONE) {
  return format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}

/** @param {number} ms */
export function day(ms, zone = BROWSER_ZONE) {
  return format(zone, { day: "numeric", month: "short" }).format(ms);
}

/**
 * A date as the API and date fields have it, such as 2026-03-01.
 *
 * @param {number} ms
 */
export function isoDay(ms, zone = BROWSER_ZONE) {
  const parts = Object.fromEntries(
    format(zone, { year: "numeric", month: "2-digit", day: "2-digit" })
      .formatToParts(ms)
      .map((part) => [part.type, part.value]),
  );
  return `${parts.year}-${parts.month}-${parts.day}`;
}

/**
 * When a clock in a zone shows a local time such as 2026-03-01T08:30, milliseconds.
 *
 * Of an hour that comes twice it is one of both; one that is left out lies in the hour before or after.
 *
 * @param {string} local
 * @param {string} zone
 */
export function instant(local, zone) {
  const shown = Date.parse(`${local}Z`);
  /** @param {number} ms */
  const ahead = (ms) => Date.parse(`${isoDay(ms, zone)}T${clock(ms, zone)}Z`) - ms;
  // The second look is for a change of clocks between the first guess and the moment itself.
  return shown - ahead(shown - ahead(shown));
}

/** @param {number} ms */
export function dayAndClock(ms, zone = BROWSER_ZONE) {
  return `${day(ms, zone)}, ${clock(ms, zone)}`;
}

/**
 * Today's moments by their clock, older ones with their day.
 *
 * @param {number} ms
 */
export function moment(ms, zone = BROWSER_ZONE) {
  return isoDay(ms, zone) === isoDay(Date.now(), zone) ? clockWithSeconds(ms, zone) : dayAndClock(ms, zone);
}

/**
 * @param {number} fromMs
 * @param {number} toMs
 */
export function span(fromMs, toMs, zone = BROWSER_ZONE) {
  const sameDay = isoDay(fromMs, zone) === isoDay(toMs - 1, zone);
  return `${dayAndClock(fromMs, zone)} – ${sameDay ? clock(toMs, zone) : dayAndClock(toMs, zone)}`;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 0.95) return `${Math.max(seconds, 0).toFixed(1)} s`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** @param {number | null | undefined} value */
export function amount(value) {
  if (value === null || value === undefined) return "–";
  const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString(LOCALE, { maximumFractionDigits: digits });
}

/** @param {number} share */
export function percent(share) {
  // Almost all is not all, and almost nothing is not nothing.
  if (share > 0.99 && share < 1) return "99 %";
  if (share > 0 && share < 0.01) return "1 %";
  return `${Math.round(share * 100)} %`;
}
