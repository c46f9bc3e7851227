/** Short enough for a column: `0.4`, `12`, `20482`, `1.2M`; `-` where there is none. */
export function formatNumber(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "-";
  if (value >= 1_000_000) return `${(value / 1_000_000).toFixed(1)}M`;
  return value > 0 && value < 10 && !Number.isInteger(value) ? value.toFixed(1) : String(Math.round(value));
}

/** The same, of milliseconds. */
export function formatMs(ms: number | undefined): string {
  return ms === undefined ? "-" : `${formatNumber(ms)} ms`;
}
