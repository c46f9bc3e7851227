/**
 * The folder of one cluster: Redis's data, its password, the rendered configurations, the logs – and two files that keep
 * two clusters out of it, even when one of them died without a word:
 *
 * - `lock` names the npm start that has the folder. It is given up at the end, and whoever finds it naming a process
 *   that is gone takes it over.
 * - `children` names what this npm start has running, one `pid birth name` a line, rewritten whenever that changes. The
 *   next npm start ends what is left of it, because two Redis servers on one append-only file would ruin it. Usually
 *   nothing is left: the guard, which is told the same, has been there before.
 *
 * A pid stands beside the birth of its process: a number that the system gave to somebody else since is never believed.
 * The folder is its owner's only; through one of root's the users pass that functions run as, to what is theirs, and see
 * nothing on the way. One that somebody deletes under a running cluster is not touched again: it may be another cluster's by then.
 */

import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SettingError } from "@genserverless/shared/service/env.ts";
import { isAlive, readBirth, waitUntilGone } from "./os-process.ts";

const LEFTOVER_STOP_MS = 10_000;
/** Of a folder's mode: that only owners may delete in it, as in /tmp; and what group and others may. */
const STICKY = 0o1000;
const OTHERS = 0o077;
const OWN_MODE = process.getuid?.() === 0 ? 0o711 : 0o700;

export interface RunningChild {
  pid: number;
  birth: string;
  name: string;
}

export class DataDir {
  readonly path: string;
  /** What stands in the lock file while this npm start has the folder. */
  #lockText = "";

  constructor(path: string) {
    this.path = path;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Throws when a live npm start has the folder. Ends what a dead one left running; returns the names of that. */
  async open(): Promise<string[]> {
    try {
      this.#closeToOthers();
      for (const folder of ["logs", "redis"]) closeFolder(this.file(folder), 0o700);
    } catch (error) {
      throw new SettingError(`DATA_DIR cannot be used: ${(error as Error).message}`);
    }
    await this.#lock();
    return await this.#endLeftovers();
  }

  #closeToOthers(): void {
    mkdirSync(this.path, { recursive: true, mode: OWN_MODE });
    if (statSync(this.path).mode & STICKY) throw new Error(`${this.path} is shared by all users`);
    closeFolder(this.path, OWN_MODE);
  }

  close(): void {
    if (!this.#isMine()) return;
    rmSync(this.file("children"), { force: true });
    rmSync(this.file("lock"), { force: true });
  }

  /** Throws when the folder is gone, or cannot be written to. */
  writeChildren(children: RunningChild[]): void {
    if (!this.#isMine()) throw new Error(`${this.path} is not this cluster's any more`);
    writeFileSync(
      this.file("children.new"),
      children.map(({ pid, birth, name }) => `${pid} ${birth} ${name}\n`).join(""),
    );
    renameSync(this.file("children.new"), this.file("children"));
  }

  /** The password of this cluster's Redis. */
  passwordFile(): string {
    return this.#keepSecret("redis-password");
  }

  /** What callers of the functions service must know. */
  functionsTokenFile(): string {
    return this.#keepSecret("functions-token");
  }

  /** What signs in to sysmon's page. */
  sysmonToken(): string {
    return readFileSync(this.#keepSecret("sysmon-token"), "utf8").trim();
  }

  /** A random text in a file for its owner only; made at the first start, and anew where the file is empty. */
  #keepSecret(name: string): string {
    const file = this.file(name);
    if (existsSync(file) && readFileSync(file, "utf8").trim() === "") rmSync(file);
    this.#create(name, randomBytes(24).toString("hex"));
    return file;
  }

  async #lock(): Promise<void> {
    const mine = `${process.pid} ${readBirth(process.pid)} ${randomBytes(6).toString("hex")}`;
    while (!this.#create("lock", mine)) {
      const [pid, birth] = this.#readLock().split(" ");
      if (birth && birth === readBirth(Number(pid))) {
        throw new SettingError(
          `DATA_DIR ${this.path} is in use by the cluster of process ${pid}; choose another DATA_DIR`,
        );
      }
      // Two may take over from the same dead owner: the last one has it, seen after a pause.
      rmSync(this.file("lock"), { force: true });
      if (!this.#create("lock", mine)) continue;
      await delay(50);
      if (this.#readLock() === mine) break;
    }
    this.#lockText = mine;
  }

  #isMine(): boolean {
    return this.#lockText !== "" && this.#readLock() === this.#lockText;
  }

  /** The file, for its owner only, appears with its content, or not at all: false where there is one already. */
  #create(name: string, content: string): boolean {
    const draft = this.file(`${name}.${process.pid}`);
    rmSync(draft, { force: true });
    writeFileSync(draft, content, { mode: 0o600 });
    try {
      linkSync(draft, this.file(name));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    } finally {
      rmSync(draft);
    }
  }

  #readLock(): string {
    return existsSync(this.file("lock")) ? readFileSync(this.file("lock"), "utf8") : "";
  }

  async #endLeftovers(): Promise<string[]> {
    if (!existsSync(this.file("children"))) return [];
    const lines = readFileSync(this.file("children"), "utf8").split("\n").filter(Boolean);
    const left = lines.flatMap((line) => {
      const [pid = "", birth = "", name = ""] = line.split(" ");
      return isAlive(Number(pid)) && readBirth(Number(pid)) === birth ? [{ pid: Number(pid), name }] : [];
    });
    await Promise.all(left.map(({ pid }) => endLeftover(pid)));
    return left.map(({ name }) => name);
  }
}

/** Makes a folder, or gives one that is there this mode. */
function closeFolder(path: string, mode: number): void {
  mkdirSync(path, { recursive: true, mode });
  if ((statSync(path).mode & OTHERS) !== (mode & OTHERS)) chmodSync(path, mode);
}

async function endLeftover(pid: number): Promise<void> {
  signal(pid, "SIGTERM");
  if (await waitUntilGone(pid, LEFTOVER_STOP_MS)) return;
  signal(pid, "SIGKILL");
  await waitUntilGone(pid, LEFTOVER_STOP_MS);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}
