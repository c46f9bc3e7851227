/**
 * One child process of npm start, kept running.
 *
 *     stopped ──start()──► running ──exit──► waiting ──after a while──► running …
 *                             │                 │
 *                             └─────stop()──────┴──► stopped, for good
 *
 * A child that exits is started again: at once when it had been steady, later and later when it keeps dying. Each child
 * leads a process group of its own, so that a Ctrl-C in the terminal reaches npm start alone, which stops its children in
 * the right order. `stop` asks with the child's own stop signal, waits, and kills; `kill` does not ask.
 *
 * What a death means for the cluster is the business of whoever listens to `onExit`.
 */

import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { ChildLog } from "./child-log.ts";

const STEADY_MS = 10_000;
const LONGEST_PAUSE_MS = 5_000;
/** For what a child wrote just before it exited. */
const LAST_WORDS_MS = 200;

export interface ChildOptions {
  name: string;
  command: string;
  args: string[];
  /** A Node program gets a channel, to announce its session on. */
  hasChannel: boolean;
  /** Its standard output is a picture for its log file, not lines for npm start's. */
  isQuiet?: boolean;
  env: Record<string, string | undefined>;
  /** SIGTERM unless the program has a gentler one. */
  stopSignal?: NodeJS.Signals;
  /** How long it may take to stop when asked, in ms; then it is killed. */
  stopWithinMs: number;
  log: ChildLog;
  onStarted(pid: number): void;
  onExit(exit: ChildExit): void;
}

export interface ChildExit {
  name: string;
  pid: number;
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The session that a node announced by an IPC message `{session}`; it died with the node. */
  session: string | undefined;
  /** How often it has died in a row without having been steady in between. */
  deaths: number;
  /** ms until it is started again; undefined when it was stopped. */
  restartsInMs: number | undefined;
}

/** The first restart is immediate; each further one in a row waits longer. */
export function restartPauseMs(deaths: number): number {
  return deaths <= 1 ? 0 : Math.min(250 * 2 ** (deaths - 2), LONGEST_PAUSE_MS);
}

export class Child implements Part {
  readonly options: ChildOptions;
  #running: ChildProcess | undefined;
  #session: string | undefined;
  #restart: NodeJS.Timeout | undefined;
  #isStopping = false;
  #deaths = 0;

  constructor(options: ChildOptions) {
    this.options = options;
  }

  /** The session that the node of this moment has announced. */
  get session(): string | undefined {
    return this.#session;
  }

  /** Resolves when the program runs; rejects when it cannot be run at all. */
  async start(): Promise<void> {
    if (this.#running || this.#isStopping) return;
    await once(this.#spawn(), "spawn");
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restart);
    const child = this.#running;
    if (!child) return;
    const exited = once(child, "exit");
    const closed = once(child, "close");
    child.kill(this.options.stopSignal ?? "SIGTERM");
    const killer = setTimeout(() => this.kill(), this.options.stopWithinMs);
    await exited;
    clearTimeout(killer);
    await Promise.race([closed, delay(LAST_WORDS_MS)]);
  }

  /** Also cuts a `stop` short that is waiting. */
  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#isStopping = true;
    clearTimeout(this.#restart);
    this.#running?.kill(signal);
  }

  #spawn(): ChildProcess {
    const { command, args, env, hasChannel, isQuiet, log } = this.options;
    const stdio: StdioOptions = ["ignore", "pipe", "pipe", hasChannel ? "ipc" : "ignore"];
    const child = spawn(command, args, { env, detached: true, stdio });
    const startedAt = performance.now();
    this.#running = child;
    if (child.stdout) log.attach(child.stdout, isQuiet ? "quiet" : "info");
    if (child.stderr) log.attach(child.stderr, "error");
    const { pid = 0 } = child;
    if (pid) this.options.onStarted(pid);
    child.on("message", (message) => {
      this.#session = (message as { session?: string }).session ?? this.#session;
    });
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      if (this.#running !== child) return;
      this.#running = undefined;
      this.#noteExit({ pid, code, signal }, performance.now() - startedAt > STEADY_MS);
    };
    child.once("exit", end);
    child.on("error", () => pid || end(127, null));
    return child;
  }

  #noteExit(exit: Pick<ChildExit, "pid" | "code" | "signal">, wasSteady: boolean): void {
    this.#deaths = wasSteady ? 1 : this.#deaths + 1;
    const restartsInMs = this.#isStopping ? undefined : restartPauseMs(this.#deaths);
    if (restartsInMs !== undefined) this.#restart = setTimeout(() => this.#spawn(), restartsInMs);
    const session = this.#session;
    this.#session = undefined;
    this.options.onExit({ ...exit, name: this.options.name, session, deaths: this.#deaths, restartsInMs });
  }
}
