/**
 * The process tab's memory: one process, read again and again while the tab is open. Its state is read when it has
 * changed, a large one not more often than every ten seconds, and only its outline is kept. Its commits are told by the
 * cluster for as long as somebody watches.
 */

import type { TiesView } from "@genserverless/shared/inspect/ties-reader.ts";
import type { DeadLetter, MailboxPeek, ProcessView } from "@genserverless/shared/inspect/views.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { type Outline, outlineJson } from "../view/json-outline.ts";
import type { Commit, ProcessModel, Ties } from "../view/model.ts";
import type { Eyes } from "./eyes.ts";

export type WatchCommits = (pid: string, onCommit: (commit: Commit) => void) => () => void;

const PEEKED = 20;
const KEPT_COMMITS = 20;
const KEPT_DEPTHS = 120;
const KEPT_DEAD_LETTERS = 20;
const LARGE_BYTES = 1024 * 1024;
const LARGE_REST_MS = 10_000;

export class Inspector {
  readonly #eyes: Eyes;
  readonly #watchCommits: WatchCommits;
  #pid: Pid | undefined;
  #view: ProcessView | undefined;
  #ties: Ties | undefined;
  #state: { outline: Outline; life: string; readAtMs: number } | undefined;
  #mailbox: MailboxPeek | undefined;
  #deadLetters: readonly DeadLetter[] = [];
  #depths: number[] = [];
  #commits: Commit[] = [];
  #top = 0;
  #error: string | undefined;
  #unwatch: (() => void) | undefined;
  #reading: Promise<void> | undefined;

  constructor(eyes: Eyes, watchCommits: WatchCommits) {
    this.#eyes = eyes;
    this.#watchCommits = watchCommits;
  }

  get model(): ProcessModel {
    return {
      pid: this.#pid,
      view: this.#view,
      ties: this.#ties,
      state: this.#state?.outline,
      mailbox: this.#mailbox,
      depths: this.#depths,
      deadLetters: this.#deadLetters,
      commits: this.#commits,
      top: this.#top,
      error: this.#error,
    };
  }

  get pid(): string | undefined {
    return this.#pid;
  }

  open(pid: Pid): void {
    if (pid === this.#pid) return;
    this.close();
    this.#pid = pid;
    this.#view = undefined;
    this.#ties = undefined;
    this.#state = undefined;
    this.#mailbox = undefined;
    this.#deadLetters = [];
    this.#depths = [];
    this.#commits = [];
    this.#top = 0;
    this.#error = undefined;
    this.#reading = undefined;
  }

  /** Nobody looks: its commits need not be told any more. */
  close(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  /** `rows` is how long the page is, `room` how much of it is seen. */
  move(by: number, rows: number, room: number): void {
    this.#top = Math.max(0, Math.min(rows - room, this.#top + by));
  }

  load(): Promise<void> {
    const pid = this.#pid;
    if (!pid) return Promise.resolve();
    this.#unwatch ??= this.#watchCommits(pid, (commit) => this.#addCommit(pid, commit));
    this.#reading ??= this.#read(pid).finally(() => {
      if (this.#pid === pid) this.#reading = undefined;
    });
    return this.#reading;
  }

  #addCommit(pid: Pid, commit: Commit): void {
    if (pid === this.#pid) this.#commits = [...this.#commits, commit].slice(-KEPT_COMMITS);
  }

  async #read(pid: Pid): Promise<void> {
    try {
      const [view, ties, stateBytes] = await Promise.all([
        this.#eyes.readProcess(pid, false),
        this.#eyes.readTies(pid),
        this.#eyes.readStateBytes(pid),
      ]);
      const mailbox = view && (await this.#eyes.readMailbox(pid, PEEKED));
      const deadLetters = view?.mailbox.failed ? await this.#eyes.readDeadLetters(pid) : [];
      if (pid !== this.#pid) return;
      this.#error = view ? undefined : "there is no such process";
      if (!view) return;
      this.#view = view;
      this.#ties = describeTies(ties, stateBytes);
      this.#mailbox = mailbox;
      this.#deadLetters = deadLetters.slice(0, KEPT_DEAD_LETTERS);
      this.#depths = [...this.#depths, view.mailbox.waiting].slice(-KEPT_DEPTHS);
      await this.#readState(pid, view, stateBytes);
    } catch (error) {
      if (pid === this.#pid) this.#error = (error as Error).message;
    }
  }

  async #readState(pid: Pid, { startedAt, revision }: ProcessView, bytes: number): Promise<void> {
    const life = `${startedAt} ${revision}`;
    const sinceMs = performance.now() - (this.#state?.readAtMs ?? -Infinity);
    if (this.#state?.life === life || (bytes > LARGE_BYTES && sinceMs < LARGE_REST_MS)) return;
    const process = await this.#eyes.readProcess(pid, true);
    if (pid !== this.#pid || !process) return;
    this.#state = { outline: outlineJson(process.state), life, readAtMs: performance.now() };
  }
}

function describeTies(ties: TiesView | undefined, stateBytes: number): Ties {
  const { timers = [], monitors = [], links = [], groups = [] } = ties ?? {};
  return {
    timers: timers.map(({ name, dueAt, everyMs, cron }) => ({
      name,
      dueAtMs: Date.parse(dueAt),
      goesOn: cron ? `cron ${cron}` : everyMs ? `every ${everyMs} ms` : "",
    })),
    monitors,
    links,
    groups,
    stateBytes,
  };
}
