/**
 * A pid is the address of a process, `module/key`, e.g. `accumulator/alice`.
 * Both parts are 1 to 128 characters of `[A-Za-z0-9._~-]` and neither is `.` or `..`,
 * so that a pid is a path segment pair in a URL and a Redis key as it stands.
 */

const PART = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;

export const PID_PART_PATTERN = PART.source;

export type Pid = `${string}/${string}`;

export interface PidParts {
  module: string;
  key: string;
}

export function isPidPart(text: string): boolean {
  return PART.test(text);
}

/** Joins two parts that `isPidPart` has accepted. */
export function toPid(module: string, key: string): Pid {
  return `${module}/${key}`;
}

export function splitPid(pid: string): PidParts {
  const slash = pid.indexOf("/");
  return { module: pid.slice(0, slash), key: pid.slice(slash + 1) };
}

/** The pid that a text is, and undefined where it is none. */
export function parsePid(text: string): Pid | undefined {
  const [module = "", key = "", ...more] = text.split("/");
  return more.length === 0 && isPidPart(module) && isPidPart(key) ? toPid(module, key) : undefined;
}

/**
 * The partition of a pid, `0 … partitions - 1`: FNV-1a over its bytes. It is part of the key layout:
 * changing it means a new layout version.
 */
export function partitionOf(pid: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < pid.length; index++) {
    hash = Math.imul(hash ^ pid.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % partitions;
}
