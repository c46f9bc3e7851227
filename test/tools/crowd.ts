/**
 * A large cluster at rest, as its scripts would leave it in Redis: records, index, counts, and sessions that nobody beats
 * for. It is there in seconds, and no node runs for it.
 */

import { type Pid, toPid } from "@genserverless/shared/process/pid.ts";
import { readStatus } from "@genserverless/shared/process/status.ts";
import type { RedisLink } from "@genserverless/shared/redis/connection.ts";
import type { Keys } from "@genserverless/shared/redis/keys.ts";

export interface CrowdPlan {
  processes: number;
  workers: number;
  apis: number;
}

export interface Crowd {
  modules: string[];
  /** How many processes of each status there are. */
  statuses: Map<string, number>;
}

const MODULES = Array.from({ length: 10 }, (_, index) => `kind-${index}`);
const SESSION_MS = 3_600_000;
const WRITTEN_AT_ONCE = 2_000;

/** Of each thousand processes 979 are idle, ten stopped, ten paused and one is quarantined. */
export async function writeCrowd(link: RedisLink, keys: Keys, plan: CrowdPlan): Promise<Crowd> {
  const workers = await writeSessions(link, keys, plan);
  const statuses = new Map<string, number>();
  for (let first = 0; first < plan.processes; first += WRITTEN_AT_ONCE) {
    const count = Math.min(WRITTEN_AT_ONCE, plan.processes - first);
    const writes = Array.from({ length: count }, (_, index) => {
      const number = first + index;
      const { stored, held } = describeLife(number);
      const status = readStatus(stored, false, held);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      return writeProcess(link, keys, number, workers[number % workers.length] ?? "");
    });
    await Promise.all(writes);
  }
  return { modules: MODULES, statuses };
}

function describeLife(number: number): { stored: string; held: string } {
  const place = number % 1_000;
  if (place === 500) return { stored: "alive", held: "quarantined" };
  if (place % 100 === 17) return { stored: "alive", held: "paused" };
  return { stored: place % 100 === 33 ? "stopped" : "alive", held: "" };
}

async function writeProcess(link: RedisLink, keys: Keys, number: number, owner: string): Promise<void> {
  const pid: Pid = toPid(MODULES[Math.floor(number / 1_000) % MODULES.length] ?? "", `process-${number}`);
  const partition = keys.partitionOf(pid);
  const { stored, held } = describeLife(number);
  const now = Date.now();
  const fields = [
    "s",
    stored,
    "i",
    number,
    "o",
    owner,
    "e",
    1,
    "r",
    3,
    "t",
    3,
    "v",
    1,
    "n",
    0,
    "z",
    0,
    "a",
    now,
    "u",
    now,
  ];
  const state = ["d", JSON.stringify({ total: number, history: [1, 2, 3] }), "c", `${owner} 1`];
  await Promise.all([
    link.call("hset", keys.process(partition, pid), ...fields, ...state, ...(held ? ["p", held] : [])),
    link.call("zadd", keys.index(partition), 0, pid),
    link.call("hincrby", keys.counts(partition), stored, 1),
    ...(held ? [link.call("hincrby", keys.counts(partition), held, 1)] : []),
  ]);
}

/** Returns the workers' sessions. */
async function writeSessions(link: RedisLink, keys: Keys, { workers, apis }: CrowdPlan): Promise<string[]> {
  const name = (role: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${role}@host-${index}#cafe`);
  const sessions = name("worker", workers);
  await Promise.all([...sessions, ...name("api", apis)].map((session) => register(link, keys, session)));
  const partitions = Array.from({ length: keys.partitions }, (_, partition) => partition);
  const join = (session: string, partition: number) =>
    link.run("join", [keys.live(partition)], [keys.base(partition), session, MODULES.join(), 1]);
  await Promise.all(sessions.flatMap((session) => partitions.map((partition) => join(session, partition))));
  return sessions;
}

function register(link: RedisLink, keys: Keys, session: string): Promise<unknown> {
  const [role = "", host = ""] = session.split(/[@#]/);
  const busiest = Array.from({ length: 10 }, (_, index) => ({ pid: `kind-0/process-${index}`, turns: 9, failed: 0 }));
  const fields = {
    ...{ role, name: host, host, osPid: 1, startedAt: Date.now(), ttlMs: SESSION_MS, load: "0.50", lagMs: "12.5" },
    ...{ rate: "250.0", p50Ms: "0.5", p99Ms: "12.5" },
    ...(role === "worker" && { held: 7_000, running: 0, turns: 100_000, waitMs: 3, failures: 0, takeovers: 0 }),
    ...(role === "worker" && { modules: MODULES.join(), top: JSON.stringify(busiest) }),
  };
  const args = [keys.members, session, SESSION_MS, ...Object.entries(fields).flat()];
  return link.run("register", [keys.session(session), keys.sessions], args);
}
