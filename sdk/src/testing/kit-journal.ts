/** The journal of a process in the kit, and its last snapshot: both outlive a life that keeps its state. */

import type { Pid } from "../contract.ts";
import type { JournalEntry, JournalRules, Snapshot, StoredJournal } from "../journaled.ts";
import type { TurnJournal } from "../runtime/turn.ts";

export class KitJournal {
  readonly entries: JournalEntry[] = [];
  #snapshot: Snapshot | undefined;

  /** Adds what a turn has left. */
  add({ events, snapshotText }: TurnJournal, facts: Pick<JournalEntry, "version" | "at" | "messageId">): void {
    for (const event of events) this.entries.push({ ...event, ...facts, sequence: this.entries.length + 1 });
    if (snapshotText === undefined) return;
    this.#snapshot = { sequence: this.entries.length, version: facts.version, stateText: snapshotText };
  }

  /** The state that this is now. Rejects where there is none. */
  async recover(pid: Pid, rules: JournalRules): Promise<unknown> {
    const stored: StoredJournal = {
      pid,
      key: pid.slice(pid.indexOf("/") + 1),
      snapshot: this.#snapshot,
      pages: this.#pages(this.#snapshot?.sequence ?? 0),
      whole: () => this.#pages(0),
    };
    return await rules.recover(stored);
  }

  async *#pages(after: number): AsyncGenerator<JournalEntry[]> {
    if (this.entries.length > after) yield this.entries.slice(after);
  }
}
