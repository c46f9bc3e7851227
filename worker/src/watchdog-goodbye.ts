/** The last words of a node whose event loop is blocked; see watchdog.ts. */

import { evictSession } from "@genserverless/shared/cluster/eviction.ts";
import { readPublishedLua } from "@genserverless/shared/cluster/mailbox.ts";
import { RedisLink } from "@genserverless/shared/redis/connection.ts";
import { Keys } from "@genserverless/shared/redis/keys.ts";
import { loadScripts } from "@genserverless/shared/redis/scripts.ts";
import { Events } from "@genserverless/shared/service/events.ts";
import type { Blocked, WatchdogData } from "./watchdog-data.ts";

export interface Goodbye extends Pick<WatchdogData, "cluster" | "name"> {
  session: string;
  silenceMs: number;
}

/** Blames the message and gives the session's processes away, over a connection of its own. */
export async function blameAndEvict(
  { cluster, name, session, silenceMs }: Goodbye,
  blocked: Blocked | undefined,
): Promise<void> {
  const link = new RedisLink({
    url: cluster.redisUrl,
    name: `${name}:watchdog`,
    scripts: loadScripts(readPublishedLua()),
    events: new Events(),
    silenceMs,
  });
  const keys = new Keys(cluster.keyPrefix, cluster.partitions);
  await link.start();
  let isNamed = false;
  if (blocked?.pid) {
    const partition = keys.partitionOf(blocked.pid);
    const args = [keys.base(partition), blocked.pid, session, blocked.messageId, blocked.stack];
    isNamed = (await link.run<number>("blame", [keys.process(partition, blocked.pid)], args)) === 1;
  }
  await evictSession(link, keys, session, { blameless: isNamed });
}
