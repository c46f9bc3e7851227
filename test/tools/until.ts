/** Waits for a fact, never for a time: asks again and again until the answer is truthy, and says what it waited for when it never was. */

import { setTimeout as sleep } from "node:timers/promises";

export interface Patience {
  withinMs: number;
  everyMs?: number;
  /** What is waited for, for the error. */
  what?: string;
}

type Truthy<T> = Exclude<T, false | 0 | "" | null | undefined>;

/** A fact that throws is not true yet; its last error is the cause of the failure. */
export async function until<T>(fact: () => T | Promise<T>, patience: Patience): Promise<Truthy<T>> {
  const { withinMs, everyMs = 50, what = String(fact) } = patience;
  const endsAt = performance.now() + withinMs;
  let cause: unknown;
  while (true) {
    try {
      const answer = await within(fact, endsAt - performance.now());
      if (answer) return answer as Truthy<T>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() + everyMs >= endsAt) throw new Error(`not within ${withinMs} ms: ${what}`, { cause });
    await sleep(everyMs);
  }
}

async function within<T>(fact: () => T | Promise<T>, remainingMs: number): Promise<T> {
  const expired = new AbortController();
  const deadline = sleep(Math.max(remainingMs, 1), undefined, { signal: expired.signal }).then(() => {
    throw new Error("the question itself got no answer");
  });
  try {
    return await Promise.race([Promise.resolve().then(fact), deadline]);
  } finally {
    deadline.catch(() => {});
    expired.abort();
  }
}
