/** Numbers → one row of bars, the newest at the right. */

const BARS = "▁▂▃▄▅▆▇█";

/** The last `columns` values, between 0 and the largest of them; what is not known leaves a gap. */
export function sparkline(values: readonly (number | undefined)[], columns: number): string {
  const shown = columns > 0 ? values.slice(-columns) : [];
  const most = Math.max(0, ...shown.filter((value) => value !== undefined));
  return shown.map((value) => (value === undefined ? " " : barOf(value, most))).join("");
}

function barOf(value: number, most: number): string {
  const step = most > 0 ? Math.round((value / most) * (BARS.length - 1)) : 0;
  return BARS[step] ?? " ";
}
