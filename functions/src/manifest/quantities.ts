/** Durations and sizes as a manifest writes them. */

const MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `500ms`, `30s`, `1h30m`; in ms, or undefined where the text is none. */
export function readDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text) || text.length > 32) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g);
  return Math.round([...parts].reduce((sum, [, amount, unit = ""]) => sum + Number(amount) * (MS[unit] ?? 0), 0));
}

/** `128mb`, `1gb`; in MB, or undefined where the text is none. */
export function readMegabytes(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,6})\s*(mb?|mi|gb?|gi)$/i.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Number(amount) * (unit.toLowerCase().startsWith("g") ? 1_024 : 1);
}
