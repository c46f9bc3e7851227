/**
 * What a callback's result means: what the ledger has to say about the message, what the turn wants done, what becomes of
 * the process. Nothing here is true before the run has committed it.
 */

import { seal } from "@genserverless/shared/cluster/envelope.ts";
import type { Act } from "@genserverless/shared/cluster/leases.ts";
import { newMessageId } from "@genserverless/shared/process/message.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Effect } from "genserverless/runtime/effects.ts";
import { failAfterDeaths, type TurnResult } from "genserverless/runtime/turn.ts";
import type { Activation } from "./activation.ts";
import type { ActWriter } from "./acts.ts";
import type { Callbacks, Occasion } from "./callbacks.ts";
import type { Ledger, LedgerFailure } from "./ledger.ts";
import type { Message } from "./message.ts";

export interface SettlingOptions {
  activation: Activation;
  callbacks: Callbacks;
  ledger: Ledger;
  acts: ActWriter;
  events: Events;
  now: () => number;
}

/** What follows a turn that ends its batch: a commit with these words. */
export interface Ending {
  life: "" | "alive" | "stopped" | "wiped";
  reason?: string;
  continueText?: string | undefined;
  hibernates?: boolean;
}

export type AfterTurn = "next" | Ending;

/** Changes the tie that a message stands for, and says what else that takes. */
export type TieChange = () => Act[];

export const MOST_DEATHS = 3;
/** No author's timer has a name that begins so. */
const TIMEOUT = "~timeout";

export class Settling {
  readonly #options: SettlingOptions;

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  /** The callback has not failed. `before` is what has come of the message's tie. */
  settle(
    message: Message,
    result: Exclude<TurnResult, { kind: "fails" }>,
    effects: readonly Effect[],
    before: readonly Act[],
  ): Promise<AfterTurn> | AfterTurn {
    const { ledger } = this.#options;
    if (result.kind === "stops") return this.#end(message, result, effects, before);
    if (result.kind !== "goes-on") throw new Error(`${result.kind} outside init`);
    if (message.kind === "call" && result.replyText === undefined) ledger.defer(message);
    else ledger.settle(message, result.replyText);
    ledger.addActs(before);
    const ending = this.goOn(result, effects, "", message.id);
    return ending.continueText || ending.hibernates ? ending : "next";
  }

  /** Takes the state and what the turn wants done. */
  goOn(
    result: TurnResult & { kind: "goes-on" },
    effects: readonly Effect[],
    life: "" | "alive",
    messageId: string,
  ): Ending {
    const { continueText, hibernates, timeoutMs } = result;
    const { activation } = this.#options;
    const armed = timeoutMs === undefined ? [] : this.#armTimeout(timeoutMs);
    this.accept(result, messageId);
    if (effects.length > 0 || activation.ties.hasChanged) this.keep(effects, armed);
    return { life, continueText, hibernates };
  }

  /** Takes the state, and what the turn adds to the journal. */
  accept({ state, stateText, journaled }: Extract<TurnResult, { state: unknown }>, messageId: string): void {
    const { activation, ledger } = this.#options;
    if (!journaled) {
      activation.accept(state, stateText);
      return;
    }
    const recordText = activation.adopt(state, journaled);
    ledger.emit(
      journaled.events.map((event) => ({ ...event, messageId })),
      recordText,
    );
    const { retention } = activation.module.journal ?? {};
    if (retention && journaled.snapshotText !== undefined) {
      ledger.addActs([["compact", retention.events ?? 0, retention.ms ?? 0]]);
    }
  }

  /** Ends the process after its terminate, if it has one. */
  async terminate(reason: string, occasion: Occasion, state: unknown, effects: readonly Effect[]): Promise<Ending> {
    const last = await this.#options.callbacks.terminate(reason, occasion, state);
    this.keep([...effects, ...last]);
    return this.lifeAfter(reason);
  }

  /** What becomes of the process after it has ended for this reason. */
  lifeAfter(reason: string): Ending {
    const { keepState } = this.#options.activation.module;
    const isNormal = reason === "normal" || reason === "shutdown" || reason.startsWith("shutdown:");
    const isKept = keepState === "always" || (keepState === "after-crash" && !isNormal);
    return { life: isKept ? "stopped" : "wiped", reason };
  }

  /** Handled, with nothing to say, by a change of a tie alone. */
  settleWith(message: Message, change: TieChange): AfterTurn {
    this.keep([], change());
    this.#options.ledger.settle(message, undefined);
    return "next";
  }

  /** The message counts no more. */
  drop(message: Message, why: string): AfterTurn {
    this.#options.ledger.settleDropped(message, why);
    return "next";
  }

  /** There is to be no process. */
  refuse(message: Message, failure: LedgerFailure): Ending {
    this.#options.activation.ties.undo();
    this.#options.ledger.settleFailed(message, failure, false);
    return { life: "wiped", reason: failure.detail };
  }

  fail(message: Message, failure: LedgerFailure, change: TieChange): AfterTurn {
    const { activation, ledger } = this.#options;
    activation.restore(failure);
    const { attempts, backoff = 0 } = activation.module.retry;
    const isMail = message.kind !== "call";
    const isRefusal = failure.code === "invalid_message" || failure.code === "command_failed";
    if (isMail && !isRefusal && message.tries + 1 < attempts) {
      this.noteCrash(message, failure);
      ledger.addActs([["retry", message.id, backoffMs(backoff, message.tries)]]);
      return { life: "" };
    }
    this.keep([], change());
    ledger.settleFailed(message, failure, isMail);
    if (isRefusal) this.noteFailure(message, failure);
    else this.noteCrash(message, failure);
    return { life: "" };
  }

  /** A message that has ended three nodes is not tried again. */
  bury(message: Message, change: TieChange = noChange): AfterTurn {
    const { activation, ledger } = this.#options;
    this.keep([], change());
    const { failure } = failAfterDeaths(message.deaths, `${activation.lease.pid} handled this message`, message.blame);
    this.noteCrash(message, failure);
    ledger.settleFailed(message, failure, true);
    if (!activation.isStarting) return { life: "" };
    return { life: activation.stateText === undefined ? "wiped" : "stopped", reason: failure.detail };
  }

  /** Another message has come before the timeout. */
  cancelTimeout(): Act[] {
    const { ties } = this.#options.activation;
    const timer = ties.size > 0 ? ties.timer(TIMEOUT) : undefined;
    if (!timer) return [];
    ties.deleteTimer(TIMEOUT);
    return [["disarm", timer.id]];
  }

  noteCrash(message: Message | undefined, failure: LedgerFailure): void {
    const { activation, ledger, events } = this.#options;
    this.noteFailure(message, failure);
    if (!activation.crashes.note()) return;
    const { crashes, withinMs } = activation.module.intensity;
    const reason = `more than ${crashes} crashes within ${withinMs} ms, the last one: ${failure.detail}`;
    events.emit("error", "process.quarantined", { pid: activation.lease.pid, reason });
    ledger.addActs([["quarantine", reason]]);
  }

  noteFailure(message: Message | undefined, { code, detail, stack }: LedgerFailure): void {
    const { pid } = this.#options.activation.lease;
    const level = code === "command_failed" ? "info" : "warn";
    this.#options.events.emit(level, "turn.failed", { pid, messageId: message?.id, code, detail, stack });
  }

  /** What the turn wants done, and what it has changed among the ties, counts. */
  keep(effects: readonly Effect[], more: readonly Act[] = []): void {
    const { activation, ledger, acts } = this.#options;
    ledger.addActs(acts.write(effects, activation.ties.keep(), activation.withTags));
    ledger.addActs(more);
  }

  /** The callback stopped the process. */
  async #end(
    message: Message,
    result: TurnResult & { kind: "stops" },
    effects: readonly Effect[],
    before: readonly Act[],
  ): Promise<AfterTurn> {
    const { activation, ledger } = this.#options;
    const { reason, replyText, state } = result;
    // Accepted only then: while terminate waits, the turns before this one are committed, and this one is not.
    const ending = await this.terminate(reason, toOccasion(message), state, effects);
    this.accept(result, message.id);
    ledger.addActs(before);
    if (message.kind === "call" && replyText === undefined) {
      const detail = `${activation.lease.pid} stopped without a reply: ${reason}`;
      ledger.settleFailed(message, { code: "no_process", detail, stack: [] }, false);
    } else {
      ledger.settle(message, replyText);
    }
    return ending;
  }

  #armTimeout(timeoutMs: number): Act[] {
    const { activation, now } = this.#options;
    const timer = { id: newMessageId(activation.lease.partition), dueAt: now() + timeoutMs };
    activation.ties.setTimer(TIMEOUT, timer);
    return [["arm", timer.id, timer.dueAt, seal('"timeout"', { timer: TIMEOUT })]];
  }
}

export function noChange(): Act[] {
  return [];
}

export function toOccasion(message: Message, content = message.content): Occasion {
  const { id, chain, deadline, tries } = message;
  return { id, messageId: id, attempt: tries + 1, chain, deadline, content };
}

function backoffMs(backoff: number | { type: "fixed" | "exponential"; delay: number }, tries: number): number {
  if (typeof backoff === "number") return backoff;
  return backoff.type === "fixed" ? backoff.delay : Math.min(backoff.delay * 2 ** tries, 86_400_000);
}
