/**
 * Makes true what a turn came to, all of it at once: the state, the outcome of the message, what is sent, timed and tied, the
 * end of the process. And the other ways in which a turn, or a life, can end.
 */

import type { Effect } from "../runtime/effects.ts";
import type { TurnFailure, TurnJournal } from "../runtime/turn.ts";
import type { ServerModule } from "../server-module.ts";
import { admit, TIMEOUT } from "./admission.ts";
import type { KitCluster } from "./kit-cluster.ts";
import type { KitProcess } from "./kit-process.ts";
import { type Mail, newMail } from "./mail.ts";
import { failed, type Outcome } from "./outcomes.ts";
import { answer, noticesOf, type Post } from "./post.ts";
import type { Turn } from "./turn.ts";

export interface Commit {
  /** The message that was handled; undefined where a continuation was. */
  mail: Mail | undefined;
  /** The state after the turn; undefined where it is as before. */
  stateText?: string;
  /** Of a journaled module, what the turn adds to the journal. */
  journaled?: TurnJournal | undefined;
  /** Undefined where the caller is answered later. */
  outcome: Outcome | undefined;
  effects: readonly Effect[];
  next?: Next;
}

interface Next {
  continueText: string | undefined;
  timeoutMs: number | undefined;
  hibernates: boolean;
}

const LONGEST_BACKOFF_MS = 86_400_000;

export class Commits {
  readonly #cluster: KitCluster;
  readonly #post: Post;

  constructor(cluster: KitCluster, post: Post) {
    this.#cluster = cluster;
    this.#post = post;
  }

  get #now(): number {
    return this.#cluster.clock.now;
  }

  commit({ process, module }: Turn, { mail, stateText, journaled, outcome, effects, next }: Commit): void {
    if (mail) process.mailbox.shift();
    process.continuation = undefined;
    process.retryAt = undefined;
    process.revision += 1;
    const isFirst = process.life === "starting";
    process.life = "alive";
    this.#journal(process, module, journaled, mail);
    if (stateText !== undefined) this.#keepState(process, module, stateText, isFirst);
    else if (process.isMigrated) process.store(this.#now);
    this.#settle(process, mail, outcome);
    this.#send(process, effects);
    if (next) this.#prepare(process, next);
    process.ties.keep();
    if (next?.hibernates && !process.hasWork) this.passivate(process);
  }

  /** The process ends with this turn. */
  end(turn: Turn, commit: Commit, reason: string): void {
    const { process, module } = turn;
    if (commit.mail) process.mailbox.shift();
    process.revision += 1;
    this.#journal(process, module, commit.journaled, commit.mail);
    if (commit.stateText !== undefined) process.current = { text: commit.stateText, version: module.version };
    this.#settle(process, commit.mail, commit.outcome);
    this.#endLife(process, reason, commit.effects, keepsState(module, reason));
  }

  /** init was not to be, or failed: there is no process. */
  refuse({ process }: Turn, mail: Mail, code: string, detail: string): void {
    process.mailbox.shift();
    process.ties.undo();
    process.stored = undefined;
    this.#cluster.outcomes.settle(mail.id, failed(code, detail));
    this.#endLife(process, detail, [], false);
  }

  /** The turn failed: all is as before. A cast or info is tried again, where the module wants that, or is a dead letter. */
  fail(turn: Turn, mail: Mail, failure: TurnFailure, isFinal = false): void {
    const { process, module } = turn;
    this.noteFailure(process, failure, mail.id);
    process.ties.undo();
    const isRefusal = failure.code === "invalid_message" || failure.code === "command_failed";
    const mayRetry = !isFinal && !isRefusal && mail.kind !== "call" && mail.attempt < module.retry.attempts;
    if (mayRetry) this.#retryLater(process, module, mail);
    else this.#setAside(process, mail, failure, isFinal);
    if (!isRefusal) this.noteCrash(process, module);
  }

  noteFailure(process: KitProcess, { code, detail }: TurnFailure, messageId?: string): void {
    this.#cluster.journal.note("turn.failed", process.pid, { code, detail, ...(messageId && { messageId }) });
  }

  /** A process that fails too often is set aside. */
  noteCrash(process: KitProcess, { intensity }: ServerModule): void {
    const { crashes, withinMs } = intensity;
    process.failures = [...process.failures.filter((at) => at >= this.#now - withinMs), this.#now];
    if (process.failures.length > crashes)
      this.quarantine(process, `more than ${crashes} crashes within ${withinMs} ms`);
  }

  quarantine(process: KitProcess, detail: string): void {
    this.holdBack(process, "quarantined");
    this.#cluster.journal.note("process.quarantined", process.pid, { detail });
  }

  /** Nothing of the process runs any more; it leaves the worker's memory, after the turn that is under way. */
  holdBack(process: KitProcess, why: "paused" | "quarantined"): void {
    process.heldBack = why;
    process.retryAt = undefined;
    if (process.turn && why === "paused") return;
    process.store(this.#now);
    process.forget();
  }

  /** Puts the process to sleep. */
  passivate(process: KitProcess): void {
    process.store(this.#now);
    process.forget();
    this.#cluster.journal.note("process.passivated", process.pid);
  }

  /** The worker dies here: what it had in memory is lost, and what it had in hand will be handled again. */
  crash(process: KitProcess): void {
    const { turn } = process;
    if (turn) {
      process.turn = undefined;
      turn.abandon();
      const inHand = process.continuation ?? process.mailbox[0];
      if (inHand) inHand.deaths += 1;
    }
    process.ties.undo();
    process.forget();
    this.#cluster.journal.note("process.crashed", process.pid);
    this.#cluster.wake(process);
  }

  /** Ends the process at once, without terminate. */
  kill(process: KitProcess, reason: string): void {
    const { turn } = process;
    process.turn = undefined;
    turn?.abandon();
    process.ties.undo();
    // What a late write policy had not stored is lost.
    process.forget();
    const { keepState } = this.#cluster.module(process.moduleName) ?? {};
    this.#endLife(process, reason, [], keepState !== "never");
  }

  #endLife(process: KitProcess, reason: string, effects: readonly Effect[], keepsState: boolean): void {
    if (keepsState) process.store(this.#now);
    else process.stored = undefined;
    const sendings = [...effects.filter(leavesTheProcess), ...noticesOf(process, reason)];
    for (const effect of effects) if (effect.do === "reply") answer(this.#cluster, effect);
    this.#cluster.end(process, process.stored !== undefined);
    this.#cluster.journal.note("process.ended", process.pid, { reason });
    for (const sending of sendings) this.#post.send(process.pid, sending);
  }

  #keepState(process: KitProcess, { version, writePolicy }: ServerModule, text: string, isFirst: boolean): void {
    process.current = { text, version };
    process.unstoredTurns += 1;
    const isAlways = isFirst || process.isMigrated || writePolicy === "every-turn";
    const { turns = Infinity, ms = Infinity } = typeof writePolicy === "object" ? writePolicy.every : {};
    const dueAt = process.storedAt + ms;
    if (isAlways || process.unstoredTurns >= turns || dueAt <= this.#now) process.store(this.#now);
    else if (ms !== Infinity) process.storing ??= this.#cluster.clock.at(dueAt, () => process.store(dueAt));
  }

  #journal(process: KitProcess, { version }: ServerModule, journaled: TurnJournal | undefined, mail?: Mail): void {
    if (journaled) process.journal.add(journaled, { version, at: this.#now, messageId: mail?.id ?? "" });
  }

  #settle(process: KitProcess, mail: Mail | undefined, outcome: Outcome | undefined): void {
    if (!mail) return;
    if (outcome) this.#cluster.outcomes.settle(mail.id, outcome);
    else process.owed.add(mail.id);
  }

  #send(process: KitProcess, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.do === "arm") {
        const { name: timer, messageText: text } = effect;
        const mail = newMail(effect.timer.id, { kind: "info", text, timer });
        this.#cluster.delay(process, mail, effect.timer.dueAt);
      } else if (effect.do === "disarm") this.#cluster.takeBack(process, effect.id);
      else if (effect.do === "tags") process.options.tags = effect.tags;
      else if (effect.do === "reply" && effect.from.pid === process.pid) answer(this.#cluster, effect);
      else this.#post.send(process.pid, effect);
    }
  }

  #prepare(process: KitProcess, { continueText, timeoutMs }: Next): void {
    if (continueText !== undefined) {
      process.continuation = { kind: "continue", id: this.#cluster.ids.next(), text: continueText, deaths: 0 };
    }
    if (timeoutMs === undefined) return;
    const timer = { id: this.#cluster.ids.next(), dueAt: this.#now + timeoutMs };
    process.ties.setTimer(TIMEOUT, timer);
    this.#send(process, [{ do: "arm", name: TIMEOUT, timer, messageText: '"timeout"' }]);
  }

  #retryLater(process: KitProcess, { retry }: ServerModule, mail: Mail): void {
    const { backoff = 0 } = retry;
    const firstMs = typeof backoff === "number" ? backoff : backoff.delay;
    const factor = typeof backoff === "object" && backoff.type === "exponential" ? 2 ** (mail.attempt - 1) : 1;
    mail.attempt += 1;
    process.retryAt = this.#now + Math.min(firstMs * factor, LONGEST_BACKOFF_MS);
    this.#cluster.clock.at(process.retryAt, () => this.#cluster.wake(process));
  }

  #setAside(process: KitProcess, mail: Mail, { code, detail, stack }: TurnFailure, isFinal: boolean): void {
    process.mailbox.shift();
    process.retryAt = undefined;
    process.revision += 1;
    const { effects } = admit(process, mail, this.#now, () => this.#cluster.ids.next());
    process.ties.keep();
    this.#cluster.outcomes.settle(mail.id, failed(code, detail));
    if (mail.kind !== "call" || isFinal) this.#cluster.bury(process, mail, detail, stack);
    this.#send(process, effects);
  }
}

type Leaving = Exclude<Effect, { do: "arm" | "disarm" | "tags" | "reply" }>;

function leavesTheProcess(effect: Effect): effect is Leaving {
  return effect.do !== "arm" && effect.do !== "disarm" && effect.do !== "tags";
}

function keepsState({ keepState }: ServerModule, reason: string): boolean {
  if (keepState === "always") return true;
  if (keepState === "never") return false;
  return reason !== "normal" && reason !== "shutdown" && !reason.startsWith("shutdown:");
}
