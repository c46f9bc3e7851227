/**
 * Was it a counter? A linearizability check for adds.
 *
 * A history says of each add when it was sent, when its caller learnt what became of it, and what that was:
 * *acknowledged* with the total after it, *refused* (it certainly did not happen), or *unknown* (it happened once, at any
 * moment after it was sent, or never). The history is right when there is one order of all adds that happened in which
 * every acknowledged total is the sum so far, and no add comes before one that had already been answered when it was
 * sent.
 *
 * An acknowledged add covers the interval from its total minus its amount to its total. So the check is: intervals do not
 * overlap; their order agrees with the clock; and each gap between them, and the one up to the final total, is the sum of
 * unknown adds that were already sent, each used once. For amounts that are all alike this is linear in the unknown adds;
 * it grows with the number of different amounts among them.
 */

import { type Amounts, fillGaps, type Gap } from "./gap-filling.ts";

export type CounterOutcome = { kind: "acknowledged"; total: number } | { kind: "unknown" } | { kind: "refused" };

export interface CounterAdd {
  /** The process. */
  key: string;
  /** Greater than 0. */
  amount: number;
  /** Of one clock that never goes back, in ms. */
  sentAt: number;
  answeredAt: number;
  outcome: CounterOutcome;
}

export interface Violation {
  key: string;
  rule: "distinct" | "real-time" | "explained";
  explanation: string;
}

interface Acknowledged extends CounterAdd {
  outcome: { kind: "acknowledged"; total: number };
}

/** Writes a history down while it happens. */
export class CounterHistory {
  readonly adds: CounterAdd[] = [];

  /** Call it before the request leaves, and the returned function with what became of it. */
  begin(key: string, amount: number): (outcome: CounterOutcome) => void {
    const sentAt = performance.now();
    return (outcome) => {
      this.adds.push({ key, amount, sentAt, answeredAt: performance.now(), outcome });
    };
  }
}

/** Checks every process of a history. `finals` holds the totals read after all adds were answered, where they were. */
export function checkCounters(
  adds: readonly CounterAdd[],
  { initial, finals }: { initial: number; finals?: ReadonlyMap<string, number> },
): Violation[] {
  const byKey = Map.groupBy(adds, ({ key }) => key);
  const keys = new Set([...byKey.keys(), ...(finals?.keys() ?? [])]);
  return [...keys].flatMap((key) => checkCounter(key, byKey.get(key) ?? [], initial, finals?.get(key)));
}

function checkCounter(key: string, adds: readonly CounterAdd[], initial: number, final?: number): Violation[] {
  const acknowledged = adds.filter(isAcknowledged).sort((one, other) => one.outcome.total - other.outcome.total);
  const unknown = adds.filter(({ outcome }) => outcome.kind === "unknown");
  const violations = [...findOverlaps(acknowledged, initial), ...findReversals(acknowledged)];
  if (violations.length > 0) return violations;
  const unexplained = findUnexplained(acknowledged, unknown, initial, final);
  return unexplained ? [{ key, rule: "explained", explanation: unexplained }] : [];
}

function findOverlaps(acknowledged: readonly Acknowledged[], initial: number): Violation[] {
  return acknowledged.flatMap((add, index) => {
    const before = acknowledged[index - 1];
    const reached = before?.outcome.total ?? initial;
    if (add.outcome.total - add.amount >= reached) return [];
    const rest = before ? `another was answered ${reached} (${describe(before)})` : `the counter began at ${initial}`;
    return [violation("distinct", add, `${describe(add)} overlaps: ${rest}`)];
  });
}

function findReversals(acknowledged: readonly Acknowledged[]): Violation[] {
  let latest: Acknowledged | undefined;
  return acknowledged.flatMap((add) => {
    if (latest && latest.sentAt > add.answeredAt) {
      return [violation("real-time", add, `${describe(add)} was over before ${describe(latest)} was sent`)];
    }
    if (!latest || add.sentAt > latest.sentAt) latest = add;
    return [];
  });
}

function findUnexplained(
  acknowledged: readonly Acknowledged[],
  unknown: readonly CounterAdd[],
  initial: number,
  final: number | undefined,
): string | undefined {
  const gaps = [...gapsBefore(acknowledged, initial)];
  const reached = acknowledged.at(-1)?.outcome.total ?? initial;
  if (final !== undefined) gaps.push({ size: final - reached, position: acknowledged.length });
  const unfilled = fillGaps(gaps, releases(acknowledged, unknown));
  if (!unfilled) return undefined;
  if (unfilled.size < 0) return `the final total ${final} is below ${reached}, which was acknowledged`;
  const next = acknowledged[unfilled.position];
  const where = next ? `before ${describe(next)}` : `before the final total ${final}`;
  return `the counter moved by ${unfilled.size} more ${where}, and none of the ${unknown.length} unknown adds explains it`;
}

/** What lies between each acknowledged add and the one before it; position n is before the n-th. */
function* gapsBefore(acknowledged: readonly Acknowledged[], initial: number): Generator<Gap> {
  let reached = initial;
  for (const [position, add] of acknowledged.entries()) {
    yield { size: add.outcome.total - add.amount - reached, position };
    reached = add.outcome.total;
  }
}

/** The amounts that unknown adds bring from each position on: behind all adds that were answered before they were sent. */
function releases(acknowledged: readonly Acknowledged[], unknown: readonly CounterAdd[]): Amounts[] {
  const released: Amounts[] = Array.from({ length: acknowledged.length + 1 }, () => new Map());
  for (const { amount, sentAt } of unknown) {
    const at = acknowledged.findLastIndex(({ answeredAt }) => answeredAt < sentAt) + 1;
    const amounts = released[at];
    amounts?.set(amount, (amounts.get(amount) ?? 0) + 1);
  }
  return released;
}

function isAcknowledged(add: CounterAdd): add is Acknowledged {
  return add.outcome.kind === "acknowledged";
}

function violation(rule: Violation["rule"], { key }: CounterAdd, explanation: string): Violation {
  return { key, rule, explanation };
}

function describe({ amount, sentAt, answeredAt, outcome }: Acknowledged): string {
  return `+${amount} → ${outcome.total} [${sentAt.toFixed(1)} … ${answeredAt.toFixed(1)} ms]`;
}
