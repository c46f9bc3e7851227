/**
 * Fills gaps of given sizes, in order, with amounts that become available on the way, each used at most once. A search
 * over how many of each amount are left, which remembers where it has been: amounts that are equal are interchangeable.
 */

/** How many there are of each amount. */
export type Amounts = Map<number, number>;

export interface Gap {
  size: number;
  /** Amounts released at this position or before may fill it. */
  position: number;
}

/** The first gap that cannot be filled however the earlier ones are, or undefined where all can. */
export function fillGaps(gaps: readonly Gap[], released: readonly Amounts[]): Gap | undefined {
  let possible = new Map<string, Amounts>([["", new Map()]]);
  let next = 0;
  for (const gap of gaps) {
    const arrived: Amounts = new Map();
    for (; next <= gap.position; next++) addAll(arrived, released[next] ?? new Map());
    const after = new Map<string, Amounts>();
    for (const left of possible.values()) {
      const amounts = new Map(left);
      addAll(amounts, arrived);
      for (const rest of waysToFill(gap.size, amounts)) after.set(keyOf(rest), rest);
    }
    if (after.size === 0) return gap;
    possible = after;
  }
  return undefined;
}

/** Every way to leave amounts over when `size` has been taken out of them. */
function* waysToFill(size: number, amounts: Amounts, below = Number.POSITIVE_INFINITY): Generator<Amounts> {
  if (size === 0) yield amounts;
  if (size <= 0) return;
  for (const [amount, count] of amounts) {
    if (amount >= below || amount > size) continue;
    const most = Math.min(count, Math.floor(size / amount));
    for (let used = most; used > 0; used--) {
      const rest = new Map(amounts).set(amount, count - used);
      yield* waysToFill(size - used * amount, rest, amount);
    }
  }
}

function addAll(amounts: Amounts, more: Amounts): void {
  for (const [amount, count] of more) amounts.set(amount, (amounts.get(amount) ?? 0) + count);
}

function keyOf(amounts: Amounts): string {
  return [...amounts]
    .filter(([, count]) => count > 0)
    .sort(([one], [other]) => one - other)
    .join(";");
}
