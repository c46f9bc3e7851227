/** What the turns of a batch came to, until a commit takes it. */

import type { Act, Emission, Settlement } from "@genserverless/shared/cluster/leases.ts";
import type { ErrorCode } from "@genserverless/shared/service/errors.ts";
import type { Message } from "./message.ts";

export interface LedgerPage {
  settlements: Settlement[];
  events: Emission[];
  /** What the record is to have of a journaled module's state. */
  recordText: string | undefined;
  acts: Act[];
  bytes: number;
  turns: number;
}

export interface LedgerFailure {
  code: ErrorCode;
  detail: string;
  stack: string[];
  /** The state in memory is as it was before the turn. */
  sparesState?: boolean;
}

export class Ledger {
  #page: LedgerPage = emptyPage();

  get isEmpty(): boolean {
    const { settlements, acts, events } = this.#page;
    return settlements.length === 0 && acts.length === 0 && events.length === 0;
  }

  noteTurn(): void {
    this.#page.turns += 1;
  }

  /** What a turn adds to the journal, and what the record is to have of the state then. */
  emit(events: readonly Emission[], recordText: string | undefined): void {
    for (const event of events) this.#page.events.push(event);
    this.#page.recordText = recordText ?? this.#page.recordText;
  }

  addActs(acts: readonly Act[]): void {
    for (const act of acts) this.#page.acts.push(act);
  }

  /** The message was handled; `replyText` is JSON text, or undefined where there is no reply. */
  settle(message: Message, replyText: string | undefined): void {
    const reply = replyText === undefined ? "" : `,"reply":${replyText}`;
    this.#add(message, { verdict: "done", outcome: `{"status":"done"${reply}}` });
  }

  /** The call was taken, and is answered later. */
  defer(message: Message): void {
    this.#add(message, { verdict: "deferred", outcome: "" });
  }

  /** The message counts no more: its timer was cancelled, its monitor or link ended. */
  settleDropped(message: Message, detail: string): void {
    const outcome = JSON.stringify({ status: "dropped", error: { code: "cancelled", detail } });
    this.#add(message, { verdict: "done", outcome });
  }

  /** The message failed; where it is dead it is kept as a dead letter. */
  settleFailed(message: Message, { code, detail, stack }: LedgerFailure, isDead: boolean): void {
    const outcome = JSON.stringify({ status: "failed", error: { code, detail } });
    this.#add(message, isDead ? { verdict: "dead", outcome, reason: detail, stack } : { verdict: "done", outcome });
  }

  /** Takes everything out, for a commit. */
  take(): LedgerPage {
    const page = this.#page;
    this.#page = emptyPage();
    return page;
  }

  #add(message: Message, what: Pick<Settlement, "verdict" | "outcome" | "reason" | "stack">): void {
    const { id, replyTo, hash, keepMs, bytes } = message;
    this.#page.settlements.push({ id, replyTo, hash, keepMs, ...what });
    this.#page.bytes += bytes;
  }
}

function emptyPage(): LedgerPage {
  return { settlements: [], events: [], recordText: undefined, acts: [], bytes: 0, turns: 0 };
}
