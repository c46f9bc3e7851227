/** A span of time on the command line: `1500`, `1500ms`, `5s`, `2m`, `1h`, `1d`; a bare number is ms, as in the HTTP interface. */

import { WrongUsage } from "./failure.ts";

const UNITS: Record<string, number> = { "": 1, ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|)$/;
/** What a timer can be set to. */
const MOST_MS = 2_147_483_647;

/** ms, 1 to 2,147,483,647. */
export function parseDuration(text: string): number {
  const [, number = "", unit = ""] = DURATION.exec(text) ?? [];
  const ms = Math.round(Number(number) * (UNITS[unit] ?? 0));
  if (number !== "" && ms >= 1 && ms <= MOST_MS) return ms;
  throw new WrongUsage(`a duration is e.g. 500ms, 5s, 2m or 1h, not ${JSON.stringify(text)}`);
}
