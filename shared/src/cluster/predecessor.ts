/**
 * A restarted node knows its predecessor: a file in the temporary folder names the last session of this role and name on
 * this file system. It is dead when its operating-system process is gone. From another pid namespace that cannot be seen,
 * except in a container: there a new namespace means that the container was restarted, and nothing of it is left.
 *
 * Numbers come back: a restarted container may get the namespace that it had, and in it the pid of its predecessor may be
 * a thread of this very node. So a pid is believed only together with the birth of its process.
 */

import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Trace {
  session: string;
  osPid: number;
  birth: string;
  pidNamespace: string;
}

export class Predecessor {
  readonly #file: string;
  #isMine = false;

  constructor(keyPrefix: string, role: string, name: string) {
    this.#file = join(tmpdir(), `genserverless-${keyPrefix}-${role}-${name}.json`);
  }

  /** The predecessor's session, where it is known to be dead. An earlier session of this node is no predecessor. */
  findDead(): string | undefined {
    const trace = this.#isMine ? undefined : this.#read();
    return trace && isDead(trace) ? trace.session : undefined;
  }

  /** Leaves the trace of this node's session; where that cannot be, the session's TTL has to do. */
  leaveTrace(session: string): void {
    const { pid: osPid } = process;
    const trace: Trace = { session, osPid, birth: readBirth(osPid), pidNamespace: readPidNamespace() };
    this.#isMine = true;
    try {
      writeFileSync(this.#file, JSON.stringify(trace), { mode: 0o600 });
    } catch {}
  }

  #read(): Trace | undefined {
    try {
      return JSON.parse(readFileSync(this.#file, "utf8")) as Trace;
    } catch {
      return undefined;
    }
  }
}

function isDead({ osPid, birth, pidNamespace }: Trace): boolean {
  if (pidNamespace !== readPidNamespace()) return existsSync("/.dockerenv");
  if (osPid === process.pid) return true;
  try {
    process.kill(osPid, 0);
    return readBirth(osPid) !== birth;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** When it was started, in clock ticks since which boot; empty where there is no /proc. */
function readBirth(osPid: number): string {
  try {
    const stat = readFileSync(`/proc/${osPid}/stat`, "utf8");
    const startedAt = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${startedAt}`;
  } catch {
    return "";
  }
}

function readPidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}
