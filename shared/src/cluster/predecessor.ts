/**
 * A restarted node knows its predecessor: a file in the temporary folder names the last session of this role and name on
 * this file system. It is dead when its operating-system process is gone. From another pid namespace that cannot be seen,
 * except in a container: there a new namespace means that the container was restarted, and nothing of it is left.
 */

import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Trace {
  session: string;
  osPid: number;
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
    const trace: Trace = { session, osPid: process.pid, pidNamespace: readPidNamespace() };
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

function isDead({ osPid, pidNamespace }: Trace): boolean {
  if (pidNamespace !== readPidNamespace()) return existsSync("/.dockerenv");
  if (osPid === process.pid) return true;
  try {
    process.kill(osPid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

function readPidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}
