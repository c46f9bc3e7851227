/**
 * A real operating-system process under test: spawned, listened to, paused, killed.
 *
 * Its stdout and stderr are kept line by line; JSON lines can be read as log records. It may be started again after it
 * has exited and then keeps its name and its lines. Every child is on a list from its spawn to its exit: a test file
 * ends with `assertNoChildLeft`, and whatever is still alive when this process exits is killed with it. Temporary files
 * of this process and of its children lie in one folder, which goes with it too.
 */

import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setImmediate as nextLoop, setTimeout as sleep } from "node:timers/promises";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { type Patience, until } from "./until.ts";

export interface ChildOptions {
  name: string;
  command: string;
  args: string[];
  /** On top of `PASSED_ON`; nothing else of this process's environment is passed on. */
  env?: Record<string, string>;
  cwd?: string;
  /** How long SIGTERM may take before `stop` kills the child and fails. */
  stopWithinMs?: number;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

type LogRecord = Record<string, unknown>;
type Spawned = ChildProcessByStdio<null, Readable, Readable>;

const LAST_LINES_MS = 1_000;
/** With the compile cache a node boots with a third of the CPU time. */
const PASSED_ON = ["PATH", "HOME", "TMPDIR", "NODE_COMPILE_CACHE"];

const living = new Set<Child>();
const temporary = mkdtempSync(join(tmpdir(), "test-"));
// Postgres runs as another user and has its files in here.
chmodSync(temporary, 0o755);
process.env["TMPDIR"] = temporary;
process.on("exit", () => {
  for (const child of living) child.signal("SIGKILL");
  rmSync(temporary, { recursive: true, force: true });
});

export class Child implements Part {
  readonly name: string;
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly #options: ChildOptions;
  #spawned: Spawned | undefined;
  #exited: Promise<Exit> | undefined;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.isAlive) return;
    const { command, args, env, cwd } = this.#options;
    const spawned = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]])), ...env },
      cwd,
    });
    await once(spawned, "spawn");
    this.#spawned = spawned;
    living.add(this);
    createInterface({ input: spawned.stdout }).on("line", (line) => this.stdout.push(line));
    createInterface({ input: spawned.stderr }).on("line", (line) => this.stderr.push(line));
    this.#exited = this.#awaitExit(spawned);
  }

  /** Its last lines come before its exit, unless children of its own still hold its stdout. */
  async #awaitExit(spawned: Spawned): Promise<Exit> {
    const closed = once(spawned, "close");
    const [code, signal] = await once(spawned, "exit");
    const late = sleep(LAST_LINES_MS, undefined, { ref: false });
    // Where this process was held up, its timers go before what it has not read yet.
    await Promise.race([closed, late.then(() => nextLoop())]);
    living.delete(this);
    return { code, signal };
  }

  /** SIGTERM, then the exit. A child that does not leave in time is killed, and that is an error. */
  async stop(): Promise<void> {
    if (!this.isAlive) return;
    const { stopWithinMs = 60_000 } = this.#options;
    this.signal("SIGCONT");
    this.signal("SIGTERM");
    try {
      await until(() => !this.isAlive, { withinMs: stopWithinMs, what: `${this.name} leaves after SIGTERM` });
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** SIGKILL, then the exit. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#exited;
  }

  /** SIGSTOP, and the kernel says that it stands still. */
  async pause(): Promise<void> {
    this.signal("SIGSTOP");
    await until(() => readState(this.pid) === "T", { withinMs: 60_000, what: `${this.name} is paused` });
  }

  resume(): void {
    this.signal("SIGCONT");
  }

  signal(name: NodeJS.Signals): void {
    this.#spawned?.kill(name);
  }

  get isAlive(): boolean {
    return living.has(this);
  }

  get pid(): number {
    const pid = this.#spawned?.pid;
    if (pid === undefined) throw new Error(`${this.name} was never started`);
    return pid;
  }

  /** Resolves when it exits, by itself or by a signal. */
  async untilExit(): Promise<Exit> {
    return (await this.#exited) ?? { code: null, signal: null };
  }

  /** Its stdout as log records; lines that are not JSON objects are left out. */
  get records(): LogRecord[] {
    return this.stdout.map(parseRecord).filter((record) => record !== undefined);
  }

  /** The first line of stdout that matches, now or later; a child that exits without it is an error at once. */
  async untilLine(match: RegExp, patience: Patience): Promise<string> {
    return this.#untilFound((line) => (match.test(line) ? line : undefined), {
      ...patience,
      what: `${this.name} prints ${match}`,
    });
  }

  /** The first log record that matches, now or later. */
  async untilRecord(match: (record: LogRecord) => boolean, patience: Patience): Promise<LogRecord> {
    const find = (line: string) => {
      const record = parseRecord(line);
      return record && match(record) ? record : undefined;
    };
    return this.#untilFound(find, { ...patience, what: `${this.name} logs ${patience.what ?? match}` });
  }

  async #untilFound<T extends string | LogRecord>(find: (line: string) => T | undefined, patience: Patience) {
    let read = 0;
    let found: T | undefined;
    const isFound = () => {
      const wasAlive = this.isAlive;
      while (found === undefined && read < this.stdout.length) found = find(this.stdout[read++] ?? "");
      return found !== undefined || !wasAlive;
    };
    try {
      await until(isFound, patience);
      if (found === undefined) throw new Error(`it exited first: ${patience.what}`);
      return found;
    } catch (error) {
      throw new Error(`${String(error)}\n${this.lastWords()}`, { cause: error });
    }
  }

  lastWords(): string {
    return [...this.stdout.slice(-5), ...this.stderr.slice(-15)].join("\n");
  }
}

/** A Node program, run as it is by this Node. */
export function nodeChild(
  options: Omit<ChildOptions, "command" | "args"> & { script: string; args?: string[] },
): Child {
  const { script, args = [], ...rest } = options;
  return new Child({ ...rest, command: process.execPath, args: [script, ...args] });
}

/** The leak check at the end of a test file. */
export function assertNoChildLeft(): void {
  const left = [...living].map((child) => `${child.name} (${child.pid})`);
  assert.deepEqual(left, [], "every child process has ended");
}

function readState(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[0];
}

function parseRecord(line: string): LogRecord | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as LogRecord;
  } catch {
    return undefined;
  }
}
