import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * When a process was started, as text: together with its pid it is never used again, as the pid alone is. Empty when
 * there is no such process.
 */
export function readBirth(pid: number): string {
  const fields = readStat(pid);
  if (fields) return `${readBootId()}/${fields[19]}`;
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" })
      .trim()
      .replaceAll(/\s+/g, "_");
  } catch {
    return "";
  }
}

/** Waits until the process is gone; false when it is still there after `withinMs`. */
export async function waitUntilGone(pid: number, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (isAlive(pid)) {
    if (performance.now() > deadline) return false;
    await delay(20);
  }
  return true;
}

function isZombie(pid: number): boolean {
  return readStat(pid)?.[0] === "Z";
}

/** The fields of /proc/<pid>/stat from the state on; only where there is a /proc. */
function readStat(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").slice(0, 8);
}
