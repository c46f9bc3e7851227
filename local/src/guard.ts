import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { RunningChild } from "./data-dir.ts";
import { root } from "./settings.ts";

const PAUSE_MS = 1_000;

/** Keeps guard.sh running, which ends this process's children when this process is killed. */
export class Guard {
  #running: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #told = "";
  #isStopped = false;

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  start(): void {
    if (this.#isStopped) return;
    const script = join(root, "local/guard.sh");
    this.#running = spawn("/bin/sh", [script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    this.#running.on("error", () => {});
    this.#running.stdin?.on("error", () => {});
    this.#running.on("exit", () => {
      if (!this.#isStopped) this.#restart = setTimeout(() => this.start(), PAUSE_MS);
    });
    this.#say();
  }

  /** Takes all that runs now. It is with the guard when this returns, so that even a SIGKILL right then leaves nothing. */
  tell(children: RunningChild[]): void {
    this.#told = children.map(({ pid, name }) => `${pid}:${name}`).join(" ");
    this.#say();
  }

  /** The guard leaves without ending anything. */
  stop(): void {
    this.tell([]);
    this.#isStopped = true;
    clearTimeout(this.#restart);
    this.#running?.stdin?.end();
  }

  #say(): void {
    this.#running?.stdin?.write(`${this.#told}\n`);
  }
}
