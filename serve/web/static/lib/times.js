/** Moments and amounts as people read them. */

export const BROWSER_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const LOCALE = "en-GB";
const formats = new Map();

function format(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(LOCALE, { timeZone: zone, ...options }));
  return formats.get(key);
}

export function zones() {
  const known = Intl.supportedValuesOf?.("timeZone") ?? [];
  return [...new Set([BROWSER_ZONE, "UTC", ...known])];
}

export function isZone(zone) {
  try {
    return Boolean(new Intl.DateTimeFormat(LOCALE, { timeZone: zone }));
  } catch {
    return false;
  }
}

export function clock(ms, zone = BROWSER_ZONE) {
  return format(zone, { hour: "2-digit", minute: "2-digit" }).format(ms);
}

export function clockWithSeconds(ms, zone = BROWSER_ZONE) {
  return format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}

export function day(ms, zone = BROWSER_ZONE) {
  return format(zone, { day: "numeric", month: "short" }).format(ms);
}

/** A date as the API and date fields have it, such as 2026-03-01. */
export function isoDay(ms, zone = BROWSER_ZONE) {
  const parts = Object.fromEntries(
    format(zone, { year: "numeric", month: "2-digit", day: "2-digit" })
      .formatToParts(ms)
      .map((part) => [part.type, part.value]),
  );
  return `${parts.year}-${parts.month}-${parts.day}`;
}

export function dayAndClock(ms, zone = BROWSER_ZONE) {
  return `${day(ms, zone)}, ${clock(ms, zone)}`;
}

/** Today's moments by their clock, older ones with their day. */
export function moment(ms, zone = BROWSER_ZONE) {
  return isoDay(ms, zone) === isoDay(Date.now(), zone) ? clockWithSeconds(ms, zone) : dayAndClock(ms, zone);
}

export function span(fromMs, toMs, zone = BROWSER_ZONE) {
  const sameDay = isoDay(fromMs, zone) === isoDay(toMs - 1, zone);
  return `${dayAndClock(fromMs, zone)} – ${sameDay ? clock(toMs, zone) : dayAndClock(toMs, zone)}`;
}

export function duration(seconds) {
  if (seconds < 0.95) return `${Math.max(seconds, 0).toFixed(1)} s`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

export function amount(value) {
  if (value === null || value === undefined) return "–";
  const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString(LOCALE, { maximumFractionDigits: digits });
}

export function percent(share) {
  // Almost all is not all, and almost nothing is not nothing.
  if (share > 0.99 && share < 1) return "99 %";
  if (share > 0 && share < 0.01) return "1 %";
  return `${Math.round(share * 100)} %`;
}
