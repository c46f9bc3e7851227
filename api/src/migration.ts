/**
 * Tries a module's codeChange on every stored state that another version has left, and changes nothing. The author's code
 * runs in a thread of its own, so that one that loops is ended and holds nobody up.
 */

import { Worker } from "node:worker_threads";
import { type StoredState, walkStoredStates } from "@genserverless/shared/inspect/stored-states.ts";
import { type ResolveState, readStateText } from "@genserverless/shared/process/stored-state.ts";
import type { RedisLink } from "@genserverless/shared/redis/connection.ts";
import type { Keys } from "@genserverless/shared/redis/keys.ts";

export interface MigrationReport {
  module: string;
  version: number;
  /** How many states were left by another version. */
  examined: number;
  /** How many are of this version already. */
  current: number;
  migratable: number;
  failed: number;
  /** The first hundred that cannot be used. */
  failures: MigrationFailure[];
}

export interface MigrationFailure {
  pid: string;
  fromVersion: number;
  error: string;
}

export interface MigrationOptions {
  link: RedisLink;
  keys: Keys;
  modulesDirs: readonly string[];
  resolveState: ResolveState;
}

/** What the thread is asked, and answers: why the state cannot be used, or "". */
export interface Trial {
  module: string;
  fromVersion: number;
  stateText: string;
}

const TRIAL_MS = 5_000;
const MOST_FAILURES = 100;

export async function tryMigration(
  options: MigrationOptions,
  module: string,
  version: number,
): Promise<MigrationReport> {
  const report = { module, version, examined: 0, current: 0, migratable: 0, failed: 0, failures: [] };
  await using trials = new Trials(options.modulesDirs);
  for await (const stored of walkStoredStates(options.link, options.keys, module)) {
    if (stored.version === version) report.current += 1;
    else await tryOne(report, trials, module, { ...stored, stateText: await resolve(stored, options) });
  }
  return report;
}

function resolve({ pid, stateText }: StoredState, { resolveState }: MigrationOptions): Promise<string> {
  return readStateText(pid, stateText, resolveState);
}

async function tryOne(report: MigrationReport, trials: Trials, module: string, stored: StoredState): Promise<void> {
  const { pid, version: fromVersion, stateText } = stored;
  report.examined += 1;
  const error = await trials.run({ module, fromVersion, stateText });
  if (!error) {
    report.migratable += 1;
    return;
  }
  report.failed += 1;
  if (report.failures.length < MOST_FAILURES) report.failures.push({ pid, fromVersion, error });
}

/** A thread that loads the modules; one that does not answer in time is ended, and the next trial has another. */
class Trials implements AsyncDisposable {
  readonly #modulesDirs: readonly string[];
  #thread: Worker | undefined;

  constructor(modulesDirs: readonly string[]) {
    this.#modulesDirs = modulesDirs;
  }

  async run(trial: Trial): Promise<string> {
    this.#thread ??= new Worker(new URL("./migration-thread.ts", import.meta.url), { workerData: this.#modulesDirs });
    const thread = this.#thread;
    const { promise, resolve } = Promise.withResolvers<string>();
    const timer = setTimeout(resolve, TRIAL_MS, `codeChange was not done within ${TRIAL_MS} ms`);
    const fail = (error: Error) => resolve(`codeChange ended its thread: ${error.message}`);
    thread.once("message", resolve).once("error", fail).postMessage(trial);
    const error = await promise;
    clearTimeout(timer);
    thread.off("message", resolve).off("error", fail);
    if (error.startsWith("codeChange ")) await this[Symbol.asyncDispose]();
    return error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread?.terminate();
    this.#thread = undefined;
  }
}
