/** Makes the state of a journaled module of its snapshot and the events behind it; a journal that is broken is left as it is. */

import { setTimeout as sleep } from "node:timers/promises";
import {
  JournalBroken,
  type JournalEntry,
  type Journals,
  type RawEntry,
  type StoredJournal,
} from "@genserverless/shared/cluster/journal.ts";
import { type Pid, splitPid } from "@genserverless/shared/process/pid.ts";
import type { JournalRules } from "genserverless/journaled.ts";
import { describeError } from "genserverless/runtime/turn.ts";
import type { Activation } from "./activation.ts";

/** Undefined where the state is there, otherwise why it cannot be made. Rejects where Redis does not answer. */
export async function recover(
  activation: Activation,
  rules: JournalRules,
  journals: Journals,
): Promise<string | undefined> {
  const { module, lease, journal } = activation;
  const { pid } = lease;
  const reading = new Reading(pid, journals, journal);
  const { snapshot } = journal ?? {};
  const stored = { pid, key: splitPid(pid).key, snapshot, pages: reading.pages(), whole: () => reading.whole() };
  const recovering = Promise.resolve(rules.recover(stored)).then(
    (state) => activation.hold(state),
    (error: unknown) => {
      if (reading.wasCutOff) throw reading.error;
      return `${module.name} cannot be made of its journal: ${describeError(error)[0]}`;
    },
  );
  const late = `${module.name} was not made of its journal within ${module.turnTimeoutMs} ms`;
  const refusal = await Promise.race([recovering, sleep(module.turnTimeoutMs, late, { ref: false })]);
  activation.isPrepared = refusal === undefined;
  return refusal ?? undefined;
}

const NOTHING: StoredJournal = { snapshot: undefined, last: 0, newestId: "", entries: [] };

/** What the module reads of the journal, and what stood in the way. */
class Reading {
  readonly #pid: Pid;
  readonly #journals: Journals;
  readonly #stored: StoredJournal;
  error: unknown;

  constructor(pid: Pid, journals: Journals, stored = NOTHING) {
    this.#pid = pid;
    this.#journals = journals;
    this.#stored = stored;
  }

  /** Whether the events could not be read, whatever they are like. */
  get wasCutOff(): boolean {
    return this.error !== undefined && !(this.error instanceof JournalBroken);
  }

  pages(): AsyncGenerator<JournalEntry[]> {
    const { snapshot, entries } = this.#stored;
    return this.#read((snapshot?.sequence ?? 0) + 1, entries);
  }

  whole(): AsyncGenerator<JournalEntry[]> {
    return this.#read(1, []);
  }

  async *#read(from: number, found: readonly RawEntry[]): AsyncGenerator<JournalEntry[]> {
    try {
      this.#checkEnds();
      yield* this.#journals.pages(this.#pid, from, this.#stored.last, found);
    } catch (error) {
      this.error = error;
      throw error;
    }
  }

  #checkEnds(): void {
    const { snapshot, last, newestId } = this.#stored;
    const of = `the journal of ${this.#pid}`;
    if (newestId !== "" && newestId !== `${last}-0`) {
      throw new JournalBroken(`${of} goes to ${newestId}, and its record to ${last}`);
    }
    if (snapshot && snapshot.sequence > last) {
      throw new JournalBroken(`${of} goes to ${last}, and its snapshot is of event ${snapshot.sequence}`);
    }
  }
}
