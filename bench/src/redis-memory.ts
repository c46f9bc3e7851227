import type { Redis } from "ioredis";
import { until } from "../../test/tools/until.ts";

/**
 * The bytes that lie in the keyspace: the data and Redis's own entry for each key. Buffers of clients, of the
 * append-only file and of replicas, and cached scripts, are not in it.
 */
export async function readKeyspaceBytes(redis: Redis): Promise<number> {
  const stats = readPairs(await redis.call("MEMORY", "STATS"));
  const tables = readPairs(stats.get("db.0") ?? []);
  const parts = [
    stats.get("dataset.bytes"),
    tables.get("overhead.hashtable.main"),
    tables.get("overhead.hashtable.expires"),
  ];
  return parts.map((part) => Number(part ?? 0)).reduce((total, bytes) => total + bytes, 0);
}

/** Resolves when no more than `most` keys have a time to live: what is kept only for a while is gone. */
export async function untilFewVolatileKeys(redis: Redis, most: number, withinMs: number): Promise<void> {
  const isQuiet = async () => {
    const volatile = /expires=(\d+)/.exec(await redis.info("keyspace"))?.[1];
    return Number(volatile ?? 0) <= most;
  };
  await until(isQuiet, { withinMs, everyMs: 500, what: `at most ${most} keys in Redis have a time to live` });
}

/** How many clients Redis has, by the name that they gave themselves. */
export async function countClients(redis: Redis): Promise<Record<string, number>> {
  const list = String(await redis.client("LIST"));
  const names = list.split("\n").flatMap((line) => / name=(\S*)/.exec(line)?.[1] ?? []);
  const counts = Map.groupBy(names, (name) => name || "(no name)");
  counts.delete("test");
  return Object.fromEntries([...counts].map(([name, all]) => [name, all.length]).sort());
}

/** Redis answers with a map or, in its older protocol, with names and values in turn. */
function readPairs(answer: unknown): Map<string, unknown> {
  if (answer instanceof Map) return answer;
  if (!Array.isArray(answer)) return new Map(Object.entries(answer as object));
  const names = answer.filter((_, index) => index % 2 === 0);
  return new Map(names.map((name, index) => [String(name), answer[2 * index + 1]]));
}
