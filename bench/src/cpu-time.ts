/** CPU time of operating-system processes, from Linux's /proc. */

import { readdirSync, readFileSync } from "node:fs";

/** The unit of /proc, on every Linux that Node runs on. */
const MS_PER_TICK = 10;

interface Usage {
  parentPid: number;
  ms: number;
}

/** User and system time of these processes and all below them, children that have ended included, in ms. */
export function readCpuMs(rootPids: readonly number[]): number {
  const usages = readUsages();
  const childPids = Map.groupBy(usages.keys(), (pid) => usages.get(pid)?.parentPid ?? 0);
  const sum = (pid: number): number => {
    const below = (childPids.get(pid) ?? []).map(sum).reduce((total, ms) => total + ms, 0);
    return below + (usages.get(pid)?.ms ?? 0);
  };
  return rootPids.map(sum).reduce((total, ms) => total + ms, 0);
}

function readUsages(): Map<number, Usage> {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return new Map(pids.map((pid) => [Number(pid), readUsage(pid)]));
}

/** A process that has ended meanwhile counts nothing here: its parent has its time. */
function readUsage(pid: string): Usage {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Behind the name, which may hold anything: state, parent, …, and times as the 12th to 15th field.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.slice(11, 15).map(Number);
    return { parentPid: Number(fields[1]), ms: MS_PER_TICK * ticks.reduce((total, time) => total + time, 0) };
  } catch {
    return { parentPid: 0, ms: 0 };
  }
}
