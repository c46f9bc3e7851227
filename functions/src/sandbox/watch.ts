/**
 * Looks at what sandboxes use, twice a second: one whose memory has grown beyond its share is ended, and so is one that
 * burns CPU time while no request is with it. What a single process may map and burn at the most the kernel holds
 * already (launch.ts); this is the share that the manifest names.
 */

import { readdirSync, readFileSync } from "node:fs";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Language } from "./program.ts";

const PAGE_BYTES = 4_096;
const TICKS_PER_SECOND = 100;
const MB = 1_048_576;
/** What a Node process takes before a function has begun. */
const NODE_MB = 96;
const USUAL: WatchSettings = { everyMs: 500, mostIdleLoad: 0.5, mostBusyLooks: 10, retiredAfterCpuSeconds: 1_800 };
export const MOST_CPU_SECONDS = 3_600;

export interface Watched {
  /** Of the outermost of its processes. */
  pid: number | undefined;
  state: "starting" | "idle" | "busy" | "ended";
  hasLoaded: boolean;
  startedAt: number;
  options: { memoryMb: number; runtime: Language };
  end(reason: "memory" | "idle_cpu" | "retired"): void;
}

export interface WatchSettings {
  everyMs: number;
  /** CPU seconds per second of a sandbox that has nothing to do, and for how many looks in a row it may be more. */
  mostIdleLoad: number;
  mostBusyLooks: number;
  /** After so many CPU seconds a sandbox is replaced, between two requests, long before the kernel would end it. */
  retiredAfterCpuSeconds: number;
}

interface Seen {
  /** The function's own process. */
  pid: number;
  cpuSeconds: number;
  busyLooks: number;
}

export class SandboxWatch implements Part {
  readonly #list: () => Iterable<Watched>;
  readonly #settings: WatchSettings;
  readonly #seen = new WeakMap<Watched, Seen>();
  #timer: NodeJS.Timeout | undefined;

  constructor(list: () => Iterable<Watched>, settings = USUAL) {
    this.#list = list;
    this.#settings = settings;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#look(), this.#settings.everyMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const sandbox of this.#list()) {
      this.#lookAt(sandbox);
    }
  }

  #lookAt(sandbox: Watched): void {
    const { everyMs, mostIdleLoad, mostBusyLooks, retiredAfterCpuSeconds } = this.#settings;
    if (!sandbox.hasLoaded && performance.now() - sandbox.startedAt < everyMs) return;
    const seen = this.#seen.get(sandbox) ?? { pid: findInnermost(sandbox.pid), cpuSeconds: 0, busyLooks: 0 };
    this.#seen.set(sandbox, seen);
    const pids = sandbox.options.runtime === "go" ? [seen.pid, ...listDescendants(seen.pid)] : [seen.pid];
    if (sum(pids, readResidentMb) > sandbox.options.memoryMb + NODE_MB) sandbox.end("memory");
    const cpuSeconds = sum(pids, readCpuSeconds);
    const load = ((cpuSeconds - seen.cpuSeconds) * 1_000) / everyMs;
    seen.cpuSeconds = cpuSeconds;
    seen.busyLooks = sandbox.state === "idle" && load > mostIdleLoad ? seen.busyLooks + 1 : 0;
    if (seen.busyLooks > mostBusyLooks) sandbox.end("idle_cpu");
    else if (sandbox.state === "idle" && cpuSeconds > retiredAfterCpuSeconds) sandbox.end("retired");
  }
}

/** The function's own process: its ancestors only wait for it. A sandbox's first one is the first of its namespace. */
function findInnermost(pid: number | undefined): number {
  let innermost = pid ?? 0;
  for (let child = readChildren(innermost)[0]; child; child = readChildren(innermost)[0]) {
    innermost = child;
    if (isFirst(innermost)) break;
  }
  return innermost;
}

function isFirst(pid: number): boolean {
  const [, numbers = ""] = /^NSpid:\s*(.*)$/m.exec(readIfThere(`/proc/${pid}/status`)) ?? [];
  return /\s1$/.test(numbers);
}

/** What a Go function has started, whichever of its threads did. */
function listDescendants(pid: number): number[] {
  const children = listThreads(pid).flatMap((thread) => readChildren(pid, thread));
  return children.flatMap((child) => [child, ...listDescendants(child)]);
}

function readChildren(pid: number, thread: number | string = pid): number[] {
  const text = readIfThere(`/proc/${pid}/task/${thread}/children`);
  return text.split(" ").filter(Boolean).map(Number);
}

function sum(pids: number[], read: (pid: number) => number): number {
  return pids.reduce((all, pid) => all + read(pid), 0);
}

function readResidentMb(pid: number): number {
  const pages = Number(readIfThere(`/proc/${pid}/statm`).split(" ")[1] ?? 0);
  return (pages * PAGE_BYTES) / MB;
}

function readCpuSeconds(pid: number): number {
  const text = readIfThere(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
}

function listThreads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Empty where the process has just ended. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
