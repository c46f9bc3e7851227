/**
 * Looks at what sandboxes use, twice a second: one whose memory has grown beyond its share is ended, and so is one that
 * burns CPU time while no request is with it. What a single process may map and burn at the most the kernel holds
 * already (launch.ts); this is the share that the manifest names.
 */

import { readFileSync } from "node:fs";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Sandbox } from "./sandbox.ts";

const LOOK_EVERY_MS = 500;
const PAGE_BYTES = 4_096;
const TICKS_PER_SECOND = 100;
const MB = 1_048_576;
/** What a Node process takes before a function has begun. */
const NODE_MB = 96;
/** CPU seconds per second of a sandbox that has nothing to do, and for how many looks in a row it may be so. */
const MOST_IDLE_LOAD = 0.5;
const MOST_BUSY_LOOKS = 10;
/** After so many CPU seconds a sandbox is replaced, between two requests, long before the kernel would end it. */
const RETIRED_AFTER_CPU_SECONDS = 1_800;
export const MOST_CPU_SECONDS = 3_600;

interface Seen {
  pid: number;
  cpuSeconds: number;
  busyLooks: number;
}

export class SandboxWatch implements Part {
  readonly #list: () => Iterable<Sandbox>;
  readonly #seen = new WeakMap<Sandbox, Seen>();
  #timer: NodeJS.Timeout | undefined;

  constructor(list: () => Iterable<Sandbox>) {
    this.#list = list;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const sandbox of this.#list()) {
      try {
        this.#lookAt(sandbox);
      } catch {
        // It has just ended, or this machine has no /proc.
      }
    }
  }

  #lookAt(sandbox: Sandbox): void {
    if (!sandbox.hasLoaded && performance.now() - sandbox.startedAt < LOOK_EVERY_MS) return;
    const seen = this.#seen.get(sandbox) ?? { pid: findInnermost(sandbox.pid), cpuSeconds: 0, busyLooks: 0 };
    this.#seen.set(sandbox, seen);
    const residentMb = (Number(readFileSync(`/proc/${seen.pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES) / MB;
    if (residentMb > sandbox.options.memoryMb + NODE_MB) sandbox.end("memory");
    const cpuSeconds = readCpuSeconds(seen.pid);
    const load = ((cpuSeconds - seen.cpuSeconds) * 1_000) / LOOK_EVERY_MS;
    seen.cpuSeconds = cpuSeconds;
    seen.busyLooks = sandbox.state === "idle" && load > MOST_IDLE_LOAD ? seen.busyLooks + 1 : 0;
    if (seen.busyLooks > MOST_BUSY_LOOKS) sandbox.end("idle_cpu");
    else if (sandbox.state === "idle" && cpuSeconds > RETIRED_AFTER_CPU_SECONDS) sandbox.end("retired");
  }
}

/** The function's own process: its ancestors only wait for it. */
function findInnermost(pid: number | undefined): number {
  let innermost = pid ?? 0;
  for (let child = readChild(innermost); child; child = readChild(innermost)) innermost = child;
  return innermost;
}

function readChild(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ")[0]);
}

function readCpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
