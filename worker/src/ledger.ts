/** What the turns of a batch came to, until a commit takes it. */

import type { Settlement } from "@genserverless/shared/cluster/leases.ts";
import type { Message } from "./message.ts";
import type { TurnFailure } from "./turn.ts";

export interface LedgerPage {
  settlements: Settlement[];
  bytes: number;
  turns: number;
}

export class Ledger {
  #page: LedgerPage = { settlements: [], bytes: 0, turns: 0 };

  get isEmpty(): boolean {
    return this.#page.settlements.length === 0;
  }

  noteTurn(): void {
    this.#page.turns += 1;
  }

  /** The message was handled; `replyText` is JSON text, or undefined where there is no reply. */
  settle(message: Message, replyText: string | undefined): void {
    const reply = replyText === undefined ? "" : `,"reply":${replyText}`;
    this.#add(message, { verdict: "done", outcome: `{"status":"done"${reply}}` });
  }

  /** The message failed; where it is dead it is kept as a dead letter. */
  settleFailed(message: Message, { code, detail, stack }: TurnFailure, isDead: boolean): void {
    const outcome = JSON.stringify({ status: "failed", error: { code, detail } });
    this.#add(message, isDead ? { verdict: "dead", outcome, reason: detail, stack } : { verdict: "done", outcome });
  }

  /** Takes everything out, for a commit. */
  take(): LedgerPage {
    const page = this.#page;
    this.#page = { settlements: [], bytes: 0, turns: 0 };
    return page;
  }

  #add(message: Message, what: Pick<Settlement, "verdict" | "outcome" | "reason" | "stack">): void {
    const { id, replyTo, hash, keepMs, bytes } = message;
    this.#page.settlements.push({ id, replyTo, hash, keepMs, ...what });
    this.#page.bytes += bytes;
  }
}
