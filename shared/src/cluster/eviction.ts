/** Ending a session that is known to be dead, or that leaves. */

import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";

export interface EvictOptions {
  /** What the session had in hand is known not to have ended its node. */
  blameless?: boolean;
  isWorker?: boolean;
}

const BATCH = 100;
/** With more processes at work than this, none of them is clearly the one that ended its node. */
const MOST_SUSPECTS = 4;

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
    const blame = blameless ? "no" : (await countBusy(link, keys, session)) > MOST_SUSPECTS ? "maybe" : "yes";
    const evictions = Array.from({ length: keys.partitions }, async (_, partition) => {
      const args = [keys.base(partition), session, BATCH, blame];
      while ((await link.run<number>("evict", [keys.live(partition)], args)) > 0);
    });
    await Promise.all(evictions);
  }
  await link.call("srem", keys.sessions, session);
}

async function countBusy(link: RedisLink, keys: Keys, session: string): Promise<number> {
  const partitions = Array.from({ length: keys.partitions }, (_, partition) => partition);
  const counts = await Promise.all(partitions.map((p) => link.call<number>("scard", keys.busy(p, session))));
  return counts.reduce((sum, count) => sum + count, 0);
}
