/** What processes have counted, read so that looking costs what is measured as little as can be. */

import { type Pid, toPid } from "@genserverless/shared/process/pid.ts";
import { Keys } from "@genserverless/shared/redis/keys.ts";
import { until } from "../../test/tools/until.ts";
import { WrongCounters } from "./counter-check.ts";
import { runLoad } from "./load/load.ts";
import type { OurCluster } from "./our-cluster.ts";

const CONNECTIONS = 64;
const READERS = 32;
const LOOK_EVERY_MS = 100;
const SHOWN = 5;
/** What a cluster is founded with unless it is told otherwise. */
const KEYS = new Keys("gs", 64);

export async function startProcesses(cluster: OurCluster, pids: readonly Pid[]): Promise<void> {
  const requests = pids.map((pid) => cluster.startProcessRequest(pid));
  const { errors } = await runLoad({ address: cluster.address, connections: CONNECTIONS, requests });
  if (Object.keys(errors).length > 0) throw new Error(`starts failed: ${JSON.stringify(errors)}`);
}

export function namePids(module: string, prefix: string, count: number): Pid[] {
  return Array.from({ length: count }, (_, index) => toPid(module, `${prefix}${index}`));
}

/** The committed states, straight from Redis: none of the cluster's nodes has any work with it. */
export async function peekStates<State>(cluster: OurCluster, pids: readonly Pid[]): Promise<State[]> {
  const reads = pids.map((pid) => cluster.redis.hget(KEYS.process(KEYS.partitionOf(pid), pid), "d"));
  const texts = await Promise.all(reads);
  return texts.map((text, index) => {
    if (text === null) throw new Error(`${pids[index]} has no state`);
    return JSON.parse(text) as State;
  });
}

/** Resolves with the states once they satisfy `isDone`, or with what they are when the time is over. */
export async function untilStates<State>(
  cluster: OurCluster,
  pids: readonly Pid[],
  isDone: (states: State[]) => boolean,
  withinMs: number,
): Promise<State[]> {
  let states: State[] = [];
  const look = async () => {
    states = await peekStates<State>(cluster, pids);
    return isDone(states);
  };
  await until(look, { withinMs, everyMs: LOOK_EVERY_MS }).catch(() => {});
  return states;
}

/** The states as anybody reads them; a process with mail or a dead letter left is an error. */
export async function readStatesAtRest<State>(cluster: OurCluster, pids: readonly Pid[]): Promise<State[]> {
  const states = new Array<State>(pids.length);
  const restless: string[] = [];
  const left = pids.entries();
  const read = async () => {
    for (const [index, pid] of left) {
      const { status, body } = await cluster.client.read(pid);
      if (status !== 200) throw new Error(`a read of ${pid} answers ${status} ${JSON.stringify(body)}`);
      states[index] = body["state"] as State;
      const mailbox = body["mailbox"] as Record<string, number>;
      if (Object.values(mailbox).some((count) => count > 0)) restless.push(`${pid} has ${JSON.stringify(mailbox)}`);
    }
  };
  await Promise.all(Array.from({ length: READERS }, read));
  if (restless.length === 0) return states;
  const examples = restless.slice(0, SHOWN).join("; ");
  throw new WrongCounters(`${restless.length} of ${pids.length} processes have mail left: ${examples}`);
}
