import type { LoadResult } from "./load/load.ts";
import type { System } from "./system.ts";

const SHOWN = 5;

export class WrongCounters extends Error {
  override name = "WrongCounters";
}

/**
 * Every counter must equal its acknowledged calls, its start included; a call without an acknowledgement may have been
 * counted or not.
 */
export async function checkCounters(
  system: System,
  keys: readonly string[],
  loads: readonly Pick<LoadResult, "acknowledged" | "unacknowledged">[],
): Promise<void> {
  const totals = await system.readTotals(keys);
  const wrong = keys.flatMap((key, index) => {
    const total = totals[index] ?? 0;
    const least = sum(loads.map(({ acknowledged }) => acknowledged[index] ?? 0));
    const most = least + sum(loads.map(({ unacknowledged }) => unacknowledged[index] ?? 0));
    if (total >= least && total <= most) return [];
    return [`${key} is ${total}, acknowledged are ${least}${most > least ? ` to ${most}` : ""}`];
  });
  if (wrong.length === 0) return;
  const examples = wrong.slice(0, SHOWN).join("; ");
  throw new WrongCounters(`${system.name}: ${wrong.length} of ${keys.length} counters are wrong: ${examples}`);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
