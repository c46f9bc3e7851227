/** Ending a session that is known to be dead, or that leaves. */

import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";

export interface EvictOptions {
  /** What the session had in hand is known not to have ended its node. */
  blameless?: boolean;
  isWorker?: boolean;
}

const BATCH = 100;

/**
 * Ends a session everywhere. May be repeated, by anybody. It leaves the set of sessions last: whoever dies halfway leaves
 * a session without a key there, which the next beat of any node finds.
 */
export async function evictSession(
  link: RedisLink,
  keys: Keys,
  session: string,
  { blameless = false, isWorker = true }: EvictOptions = {},
): Promise<void> {
  await link.call("del", keys.session(session));
  if (isWorker) {
    const evictions = Array.from({ length: keys.partitions }, async (_, partition) => {
      const args = [keys.base(partition), session, BATCH, blameless ? 1 : 0];
      while ((await link.run<number>("evict", [keys.live(partition)], args)) > 0);
    });
    await Promise.all(evictions);
  }
  await link.call("srem", keys.sessions, session);
}
