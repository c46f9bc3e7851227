/**
 * Runs what authors have written – codeChange, load, a journal's recover – in a thread of its own: one that loops is ended
 * after its time and holds up nobody but those who wait for the same thread. One job at a time; the thread is begun with the
 * first job, and anew after one that was ended or when the modules have changed.
 */

import { Worker } from "node:worker_threads";
import type { JournalEntry, StoredSnapshot } from "@genserverless/shared/cluster/journal.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";

export interface ChangeJob {
  kind: "change";
  id: number;
  module: string;
  fromVersion: number;
  stateText: string;
}

export interface RecoverJob {
  kind: "recover";
  id: number;
  module: string;
  pid: string;
  key: string;
  snapshot: StoredSnapshot | undefined;
}

/** The next page of the journal that a job has asked for. */
export type Given =
  | { kind: "page"; id: number; entries: JournalEntry[] }
  | { kind: "end"; id: number }
  | { kind: "unread"; id: number; error: string };

export type Heard = ChangeJob | RecoverJob | Given;

/** `isWhole`: from the first event on, instead of from the snapshot. */
export type Said =
  | { kind: "loaded"; id: 0 }
  | { kind: "wants"; id: number; isWhole: boolean }
  | { kind: "done"; id: number; isWhole?: boolean; stateText?: string }
  | { kind: "failed"; id: number; isWhole: boolean; error: string };

export interface Ran {
  kind: "done" | "failed" | "late" | "ended";
  /** Why it is not done: a sentence where it failed, else one without its subject. */
  error: string;
  /** What is shown of the state that was recovered, JSON text. */
  stateText: string;
  /** Whether a job has asked for the whole journal. */
  isWhole: boolean;
}

export type OpenPages = (isWhole: boolean) => AsyncIterator<JournalEntry[]>;

export interface ModuleRunnerOptions {
  modulesDirs: readonly string[];
  /** How long a job may take. */
  limitMs: number;
  /** Another value, and the modules are loaded anew. */
  generation?: () => unknown;
}

type Unnumbered<Job> = Omit<Job, "id" | "kind">;

const NOTHING: Omit<Ran, "kind"> = { error: "", stateText: "null", isWhole: false };
const LOAD_MS = 60_000;
/** Of the thread's heap. */
const MOST_MIB = 1_024;

export class ModuleRunner implements Part {
  readonly #options: ModuleRunnerOptions;
  #thread: Worker | undefined;
  #generation: unknown;
  #jobs = 0;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: ModuleRunnerOptions) {
    this.#options = options;
  }

  /** Rejects where the modules cannot be loaded. */
  change(job: Unnumbered<ChangeJob>): Promise<Ran> {
    return this.#enqueue(() => this.#run({ kind: "change", id: ++this.#jobs, ...job }));
  }

  /** The same, and with what the pages reject with. */
  recover(job: Unnumbered<RecoverJob>, open: OpenPages): Promise<Ran> {
    return this.#enqueue(() => this.#run({ kind: "recover", id: ++this.#jobs, ...job }, open));
  }

  /** Nothing is begun before there is a job. */
  start(): Promise<void> {
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
  }

  #enqueue<T>(run: () => Promise<T>): Promise<T> {
    const running = this.#queue.then(run);
    this.#queue = running.catch(() => {});
    return running;
  }

  async #run(job: ChangeJob | RecoverJob, open?: OpenPages): Promise<Ran> {
    const thread = await this.#begin();
    const pages = new Pages(job.id, open);
    const { promise, resolve } = Promise.withResolvers<Ran>();
    const { limitMs } = this.#options;
    const end = (kind: "late" | "ended", error: string) => resolve({ ...NOTHING, kind, error });
    const timer = setTimeout(end, limitMs, "late", `was not done within ${limitMs} ms`);
    const onError = (error: Error) => end("ended", `ended its thread: ${error.message}`);
    const onExit = () => end("ended", "ended its thread");
    const onSaid = async (said: Said) => {
      if (said.id !== job.id || said.kind === "loaded") return;
      if (said.kind === "wants") thread.postMessage(await pages.take(said.isWhole));
      else resolve({ ...NOTHING, ...said });
    };
    thread.on("message", onSaid).once("error", onError).once("exit", onExit).postMessage(job);
    const ran = await promise;
    clearTimeout(timer);
    thread.off("message", onSaid).off("error", onError).off("exit", onExit);
    if (ran.kind === "late") await this.stop();
    await pages.close();
    return ran;
  }

  /** A thread that has loaded the modules. One that cannot load them says so to its first job. */
  async #begin(): Promise<Worker> {
    const { modulesDirs, generation } = this.#options;
    const now = generation?.();
    if (this.#thread && this.#generation === now) return this.#thread;
    await this.stop();
    const thread = new Worker(new URL("./module-thread.ts", import.meta.url), {
      workerData: modulesDirs,
      resourceLimits: { maxOldGenerationSizeMb: MOST_MIB },
    });
    thread.unref();
    this.#thread = thread;
    this.#generation = now;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(reject, LOAD_MS, new Error(`the modules were not loaded within ${LOAD_MS} ms`));
    thread.once("message", () => resolve()).on("error", reject);
    thread.once("exit", () => {
      if (this.#thread === thread) this.#thread = undefined;
      reject(new Error("a module ended the thread that loaded it"));
    });
    await promise.finally(() => clearTimeout(timer));
    return thread;
  }
}

/** What a job reads of the journal. */
class Pages {
  readonly #id: number;
  readonly #open: OpenPages | undefined;
  readonly #opened = new Map<boolean, AsyncIterator<JournalEntry[]>>();
  #error: unknown;

  constructor(id: number, open: OpenPages | undefined) {
    this.#id = id;
    this.#open = open;
  }

  async take(isWhole: boolean): Promise<Given> {
    const id = this.#id;
    try {
      const pages = this.#opened.get(isWhole) ?? this.#open?.(isWhole);
      if (!pages) return { kind: "end", id };
      this.#opened.set(isWhole, pages);
      const { done, value } = await pages.next();
      return done ? { kind: "end", id } : { kind: "page", id, entries: value };
    } catch (error) {
      this.#error ??= error;
      return { kind: "unread", id, error: (error as Error).message };
    }
  }

  /** Rejects with what reading has met. */
  async close(): Promise<void> {
    for (const pages of this.#opened.values()) await pages.return?.();
    if (this.#error !== undefined) throw this.#error;
  }
}
