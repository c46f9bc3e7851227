/** Sizes and spans of time, short enough for a column. What is not a number is shown as `-`. */

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];

export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return "-";
  let value = bytes;
  let step = 0;
  while (value >= 1024 && step < SIZES.length - 1) {
    value /= 1024;
    step++;
  }
  return `${step > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${SIZES[step]}`;
}

/** The two largest units of a span, e.g. `0.4s`, `42s`, `3m04s`, `5h12m`, `9d03h`. */
export function formatSpan(spanMs: number): string {
  if (!Number.isFinite(spanMs)) return "-";
  const seconds = Math.max(0, spanMs) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole}s`;
  const [big, bigName, small, smallName] =
    whole < 3600
      ? [Math.floor(whole / 60), "m", whole % 60, "s"]
      : whole < 86_400
        ? [Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "m"]
        : [Math.floor(whole / 86_400), "d", Math.floor((whole % 86_400) / 3600), "h"];
  return `${big}${bigName}${String(small).padStart(2, "0")}${smallName}`;
}
