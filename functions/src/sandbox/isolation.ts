/**
 * What this machine lets us do to keep a function to itself, found by trying it once at the start. What does not hold is
 * told by name, for the log; the rest holds without it.
 */

import { spawn } from "node:child_process";
import { findProgram } from "@genserverless/shared/service/programs.ts";

/** Programs of util-linux and coreutils that a sandbox is made with. */
export interface Programs {
  prlimit?: string;
  setpriv?: string;
  unshare?: string;
}

export interface Isolation {
  programs: Programs;
  /** Each project's functions run as a user of their own. */
  hasUsers: boolean;
  /** Mounts, processes and IPC of their own: made as root, or in a user namespace. */
  namespaces: "root" | "user" | undefined;
  /** No network at all. */
  isOffline: boolean;
}

export interface Wanted {
  /** Functions are to have no network. */
  isOffline: boolean;
  /** Whether namespaces may be used where the kernel lets us. */
  namespaces: boolean;
}

/** Tries whether a sandbox of this kind can be made. */
export type Try = (isolation: Isolation) => Promise<boolean>;

export interface Found {
  isolation: Isolation;
  /** Limits that cannot hold here, in words. */
  missing: string[];
}

export function findPrograms(): Programs {
  const [prlimit, setpriv, unshare] = ["prlimit", "setpriv", "unshare"].map(findProgram);
  return { ...(prlimit && { prlimit }), ...(setpriv && { setpriv }), ...(unshare && { unshare }) };
}

/** The strictest isolation that `attempt` finds to work. Rejects where not even a plain sandbox does. */
export async function findIsolation(programs: Programs, wanted: Wanted, attempt: Try): Promise<Found> {
  const isRoot = process.getuid?.() === 0;
  const { isOffline: wantsOffline, namespaces: mayUseNamespaces } = wanted;
  const kinds = mayUseNamespaces ? [...(isRoot ? (["root"] as const) : []), "user" as const, undefined] : [undefined];
  for (const hasUsers of isRoot ? [true, false] : [false]) {
    for (const namespaces of kinds) {
      if (namespaces === "user" && hasUsers) continue;
      const isolation = { programs, hasUsers, namespaces, isOffline: wantsOffline && namespaces !== undefined };
      if (await attempt(isolation)) return { isolation, missing: nameMissing(isolation, wantsOffline) };
    }
  }
  const bare = { programs: {}, hasUsers: false, namespaces: undefined, isOffline: false };
  if (await attempt(bare)) return { isolation: bare, missing: nameMissing(bare, wantsOffline) };
  throw new Error("not even a plain sandbox starts here");
}

function nameMissing({ programs, hasUsers, namespaces, isOffline }: Isolation, wantsOffline: boolean): string[] {
  const missing: string[] = [];
  if (!programs.prlimit) missing.push("limits of CPU time, file size, open files and data (prlimit)");
  if (!hasUsers) missing.push("a user id for each project");
  if (!hasUsers && !namespaces) missing.push("a limit of processes");
  if (!namespaces) missing.push("a file system, processes and a bounded temporary folder of their own (namespaces)");
  if (wantsOffline && !isOffline) missing.push("being cut off from the network");
  if (!programs.setpriv) missing.push("an end with the service that the kernel enforces (setpriv)");
  return missing;
}

/** Whether a command ends with 0 in time. */
export function succeeds(command: string, args: string[], withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "ignore", env: {}, timeout: withinMs, killSignal: "SIGKILL" });
    child.once("error", () => resolve(false)).once("exit", (code) => resolve(code === 0));
  });
}
