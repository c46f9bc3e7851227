/** Numbers as people read them, in the reader's own language where there is one. */

export const ABSENT = "–";

// Controls, zero-width and bidirectional characters: they could make one name look like another.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const count = new Intl.NumberFormat();
const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];
const SPANS = [
  [86_400, "d", 3600, "h"],
  [3600, "h", 60, "m"],
  [60, "m", 1, "s"],
];

export function formatCount(number) {
  return number === undefined ? ABSENT : count.format(number);
}

export function formatBytes(bytes) {
  const step = bytes > 0 ? Math.min(SIZES.length - 1, Math.floor(Math.log2(bytes) / 10)) : 0;
  const value = bytes / 1024 ** step;
  return `${value < 10 && step > 0 ? value.toFixed(1) : Math.round(value)} ${SIZES[step]}`;
}

/** The two largest units of a span of milliseconds. */
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

export function toPrintable(text) {
  return text.replace(UNPRINTABLE, "\ufffd");
}
