/**
 * Sees from another thread that the event loop is blocked – a callback that loops, or waits synchronously – and ends the
 * node: a loop cannot be interrupted, and a node that cannot beat holds its processes up. The thread asks the blocked
 * code where it is and which turn it runs, writes that on the message, gives the session's processes to others at once
 * and ends the operating-system process with SIGKILL.
 *
 * The limit is two thirds of the session's TTL, at most 4 s: the session is still alive then, so what is said of it counts.
 */

import { Worker as Thread } from "node:worker_threads";
import type { ClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { currentTurn } from "./current-turn.ts";
import { CURRENT_TURN, type WatchdogData } from "./watchdog-data.ts";

const MOST_BLOCKED_MS = 4_000;
const PULSE_MS = 100;

export class Watchdog implements Part {
  readonly #data: WatchdogData;
  #thread: Thread | undefined;
  #timer: NodeJS.Timeout | undefined;
  #session = "";

  constructor(cluster: ClusterSettings, name: string) {
    const limitMs = Math.min(MOST_BLOCKED_MS, Math.round((cluster.sessionTtlMs * 2) / 3));
    this.#data = { cluster, name, pulse: new SharedArrayBuffer(4), limitMs };
  }

  async start(): Promise<void> {
    Object.assign(globalThis, { [Symbol.for(CURRENT_TURN)]: describeTurn });
    const beats = new Int32Array(this.#data.pulse);
    this.#timer = setInterval(() => Atomics.add(beats, 0, 1), PULSE_MS);
    this.#thread = new Thread(new URL("./watchdog-thread.ts", import.meta.url), { workerData: this.#data });
    this.#thread.postMessage(this.#session);
  }

  /** The session whose processes are to be given away. */
  watch(session: string): void {
    this.#session = session;
    this.#thread?.postMessage(session);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#thread?.terminate();
    this.#thread = undefined;
  }
}

function describeTurn(): string {
  const turn = currentTurn.getStore();
  return turn ? JSON.stringify({ pid: turn.pid, messageId: turn.messageId }) : "";
}
