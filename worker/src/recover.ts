/** Makes the state of a journaled module of its snapshot and the events behind it; a journal that is broken is left as it is. */

import {
  JournalBroken,
  type JournalEntry,
  type Journals,
  type RawEntry,
  readSnapshot,
  type StoredJournal,
  type StoredSnapshot,
} from "@genserverless/shared/cluster/journal.ts";
import { type Pid, splitPid } from "@genserverless/shared/process/pid.ts";
import type { JournalRules } from "genserverless/journaled.ts";
import { describeError } from "genserverless/runtime/turn.ts";
import type { Activation } from "./activation.ts";

/**
 * However little a turn may take: what holds a recovery up may be Redis, or the recoveries of all that a dead worker had, and
 * one that is late waits for a person.
 */
const LEAST_MS = 30_000;

/**
 * Undefined where the state is there, or where it was given up by the signal; otherwise why it cannot be made. Rejects where
 * Redis does not answer.
 */
export async function recover(
  activation: Activation,
  rules: JournalRules,
  journals: Journals,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { module, lease, journal } = activation;
  const { pid } = lease;
  const fail = (error: unknown) => `${module.name} cannot be made of its journal: ${describeError(error)[0]}`;
  let snapshot: StoredSnapshot | undefined;
  try {
    snapshot = check(pid, journal);
  } catch (error) {
    return fail(error);
  }
  const reading = new Reading(pid, journals, journal, snapshot);
  const stored = { pid, key: splitPid(pid).key, snapshot, pages: reading.pages(), whole: () => reading.whole() };
  const recovering = new Promise((resolve) => resolve(rules.recover(stored))).then(
    (state) => {
      activation.hold(state);
      if (reading.error) throw reading.error;
    },
    (error: unknown) => {
      throw reading.wasCutOff ? reading.error : error;
    },
  );
  try {
    const deadlineMs = Math.max(module.turnTimeoutMs, LEAST_MS);
    const end = await endOf(recovering, deadlineMs, signal);
    activation.isPrepared = end === "done";
    return end === "late" ? `${module.name} was not made of its journal within ${deadlineMs} ms` : undefined;
  } catch (error) {
    if (reading.wasCutOff) throw error;
    return fail(error);
  } finally {
    reading.stop();
  }
}

/** Rejects with what the work rejects with, while anybody waits for it. */
function endOf(work: Promise<void>, deadlineMs: number, signal: AbortSignal): Promise<"done" | "late" | "given up"> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, deadlineMs, "late");
    const giveUp = () => resolve("given up");
    signal.addEventListener("abort", giveUp, { once: true });
    work.then(() => resolve("done"), reject).finally(() => clearTimeout(timer));
  });
}

/** The snapshot. Throws JournalBroken where that is torn, or where journal and record do not fit together. */
function check(pid: Pid, journal: StoredJournal | undefined): StoredSnapshot | undefined {
  if (!journal) return undefined;
  const { recordText, last, newestId, topId } = journal;
  const snapshot = readSnapshot(recordText);
  const of = `the journal of ${pid}`;
  if (newestId !== "" && newestId !== `${last}-0`) {
    throw new JournalBroken(`${of} goes to ${newestId}, and its record to ${last}`);
  }
  if (topId !== "" && topId !== `${last}-0`) {
    throw new JournalBroken(`${of} has had event ${topId}, and its record goes to ${last}`);
  }
  if (snapshot && snapshot.sequence > last) {
    throw new JournalBroken(`${of} goes to ${last}, and its snapshot is of event ${snapshot.sequence}`);
  }
  return snapshot;
}

/** What the module reads of the journal, and what stood in the way. */
class Reading {
  readonly #pid: Pid;
  readonly #journals: Journals;
  readonly #stored: StoredJournal | undefined;
  readonly #from: number;
  #isOver = false;
  error: unknown;

  constructor(pid: Pid, journals: Journals, stored: StoredJournal | undefined, snapshot: StoredSnapshot | undefined) {
    this.#pid = pid;
    this.#journals = journals;
    this.#stored = stored;
    this.#from = (snapshot?.sequence ?? 0) + 1;
  }

  /** Whether the events could not be read, whatever they are like. */
  get wasCutOff(): boolean {
    return this.error !== undefined && !(this.error instanceof JournalBroken);
  }

  /** Nobody waits for what would come of it any more. */
  stop(): void {
    this.#isOver = true;
  }

  pages(): AsyncGenerator<JournalEntry[]> {
    return this.#read(this.#from, this.#stored?.entries ?? []);
  }

  whole(): AsyncGenerator<JournalEntry[]> {
    return this.#read(1, []);
  }

  async *#read(from: number, found: readonly RawEntry[]): AsyncGenerator<JournalEntry[]> {
    try {
      this.#checkOn();
      const { last = 0, largest } = this.#stored ?? {};
      for await (const page of this.#journals.pages(this.#pid, from, last, found, largest)) {
        yield page;
        this.#checkOn();
      }
    } catch (error) {
      this.error ??= error;
      throw error;
    }
  }

  #checkOn(): void {
    if (this.#isOver) throw new JournalBroken(`the recovery of ${this.#pid} was given up`);
  }
}
