import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "./settings.ts";

const PAUSE_MS = 1_000;

/** Keeps guard.sh running, which ends the children named in a file when this process is killed. */
export class Guard {
  readonly #childrenFile: string;
  #running: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(childrenFile: string) {
    this.#childrenFile = childrenFile;
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  start(): void {
    if (this.#isStopped) return;
    const script = join(root, "local/guard.sh");
    this.#running = spawn("/bin/sh", [script, this.#childrenFile], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#running.on("error", () => {});
    this.#running.on("exit", () => {
      if (!this.#isStopped) this.#restart = setTimeout(() => this.start(), PAUSE_MS);
    });
  }

  /** To be called when the file is gone: the guard then finds nothing to do. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#restart);
    this.#running?.stdin?.end();
  }
}
