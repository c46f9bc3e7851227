/** Numbers as people read them, in the reader's own language where there is one. */

export const ABSENT = "–";

// Controls, zero-width and bidirectional characters: they could make one name look like another.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const count = new Intl.NumberFormat();
const fraction = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];
/** @type {[size: number, name: string, smallSize: number, smallName: string][]} */
const SPANS = [
  [86_400, "d", 3600, "h"],
  [3600, "h", 60, "m"],
  [60, "m", 1, "s"],
];

/** @param {number | undefined} number */
export function formatCount(number) {
  return number === undefined ? ABSENT : count.format(number);
}

/**
 * One digit behind the point where there is little in front of it.
 * @param {number | undefined} number
 */
export function formatRate(number) {
  if (number === undefined || !Number.isFinite(number)) return ABSENT;
  return number < 10 ? fraction.format(number) : count.format(Math.round(number));
}

/** @param {number | undefined} ms */
export function formatMs(ms) {
  if (ms === undefined || !Number.isFinite(ms)) return ABSENT;
  return ms < 10_000 ? `${formatRate(ms)} ms` : formatSpan(ms);
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  const step = bytes > 0 ? Math.min(SIZES.length - 1, Math.floor(Math.log2(bytes) / 10)) : 0;
  const value = bytes / 1024 ** step;
  return `${value < 10 && step > 0 ? value.toFixed(1) : Math.round(value)} ${SIZES[step]}`;
}

/**
 * The two largest units of a span of milliseconds.
 * @param {number} spanMs
 */
export function formatSpan(spanMs) {
  if (!Number.isFinite(spanMs)) return ABSENT;
  const seconds = Math.max(0, spanMs) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  const units = SPANS.find(([size]) => whole >= size);
  if (!units) return `${whole} s`;
  const [big, bigName, small, smallName] = units;
  return `${Math.floor(whole / big)} ${bigName} ${Math.floor((whole % big) / small)} ${smallName}`;
}

/**
 * The time of day, with the date where it is not today's.
 * @param {string | number | undefined} time ISO 8601, or ms since the epoch.
 */
export function formatTime(time) {
  const date = new Date(time ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return ABSENT;
  const clock = date.toLocaleTimeString(undefined, { hour12: false });
  return date.toDateString() === new Date().toDateString() ? clock : `${date.toLocaleDateString()} ${clock}`;
}

/** @param {string} text */
export function toPrintable(text) {
  return text.replace(UNPRINTABLE, "\ufffd");
}

/**
 * A value as one line of JSON, no longer than `most` characters.
 * @param {unknown} value
 */
export function toLine(value, most = 200) {
  const text = toPrintable(JSON.stringify(value) ?? "");
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
