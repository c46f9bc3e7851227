/**
 * What each kind of message does to a process: which callback it is for, what its return means, what the ledger has to say
 * about it, and what follows. Nothing here is true before the run has committed it.
 *
 * A message that stands for a tie – a timer's, a DOWN, the exit of a linked process – counts only while the tie is there.
 * The tie is changed before the callback runs, so that the callback sees it so, and again if the callback fails: what has
 * come of the tie does not depend on it. Only where the message is to be tried again everything stays as it was.
 */

import { seal } from "@genserverless/shared/cluster/envelope.ts";
import type { Act } from "@genserverless/shared/cluster/leases.ts";
import { newMessageId } from "@genserverless/shared/process/message.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import { isHandled } from "genserverless/runtime/dispatch.ts";
import type { ReturningCallback } from "genserverless/runtime/interpret.ts";
import { readTick } from "genserverless/runtime/schedule.ts";
import { failAfterDeaths, failWithoutHandler, type TurnResult } from "genserverless/runtime/turn.ts";
import type { Effect } from "genserverless/runtime/turn-context.ts";
import type { Activation } from "./activation.ts";
import type { ActWriter } from "./acts.ts";
import type { Callbacks, Occasion } from "./callbacks.ts";
import type { Ledger, LedgerFailure } from "./ledger.ts";
import type { Message } from "./message.ts";

export interface TurnsOptions {
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

const MOST_DEATHS = 3;
/** No author's timer has a name that begins so. */
const TIMEOUT = "~timeout";
const HANDLERS = { call: "handleCall", cast: "handleCast", info: "handleInfo" } as const;

export class Turns {
  readonly #options: TurnsOptions;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  handle(message: Message): Promise<AfterTurn> | AfterTurn {
    switch (message.kind) {
      case "start":
        return this.#start(message);
      case "stop":
        return this.#stop(message);
      case "exit":
        return this.#exit(message);
      case "down":
        return this.#down(message);
      case "link":
      case "unlink":
        return this.#link(message);
      default:
        return message.timer === undefined
          ? this.#deliver(message, HANDLERS[message.kind], message.content)
          : this.#tick(message, message.timer);
    }
  }

  /** Runs handleContinue with what it is owed. */
  async continue(continueText: string): Promise<Ending> {
    const { activation } = this.#options;
    const { module, continueDeaths, lease } = activation;
    const refusal = !module.handleContinue
      ? failWithoutHandler(module, "handleContinue")
      : continueDeaths >= MOST_DEATHS && failAfterDeaths(continueDeaths, `${module.name}.handleContinue ran`);
    if (refusal) {
      this.#noteCrash(undefined, refusal.failure);
      return { life: "" };
    }
    const id = `continue ${lease.revision}`;
    const occasion = {
      id,
      messageId: "",
      attempt: 1,
      chain: [],
      deadline: undefined,
      content: JSON.parse(continueText),
    };
    const { result, effects } = await this.#take("handleContinue", occasion);
    switch (result.kind) {
      case "goes-on":
        return this.#goOn(result, effects, "");
      case "stops":
        await this.#terminate(result.reason, occasion, result.state, effects);
        activation.accept(result.state, result.stateText);
        return lifeAfter(activation, result.reason);
      default:
        activation.restore();
        if (result.kind === "fails") this.#noteCrash(undefined, result.failure);
        return { life: "" };
    }
  }

  async #deliver(
    message: Message,
    callback: "handleCall" | "handleCast" | "handleInfo",
    content: unknown,
    change: () => Act[] = noChange,
  ): Promise<AfterTurn> {
    const { activation, ledger, acts } = this.#options;
    const { module, ties } = activation;
    if (message.deaths >= MOST_DEATHS) return this.#bury(message, change);
    const before = change();
    if (callback === "handleInfo" && !isHandled(module, callback)) {
      this.#options.events.emit("info", "info.ignored", { pid: activation.lease.pid, messageId: message.id });
      ledger.addActs([...before, ...acts.write([], ties.keep(), activation.withTags)]);
      ledger.settle(message, undefined);
      return "next";
    }
    if (!isHandled(module, callback)) return this.#fail(message, failWithoutHandler(module, callback).failure, change);
    if (ties.size > 0) before.push(...this.#cancelTimeout());
    const { result, effects } = await this.#take(callback, toOccasion(message, content));
    if (result.kind === "fails") return this.#fail(message, result.failure, change);
    return this.#settle(message, result, effects, before);
  }

  /** The callback has not failed: says what it came to, and goes on or ends. */
  #settle(
    message: Message,
    result: Exclude<TurnResult, { kind: "fails" }>,
    effects: readonly Effect[],
    before: readonly Act[],
  ): Promise<AfterTurn> | AfterTurn {
    const { ledger } = this.#options;
    ledger.addActs(before);
    if (result.kind === "stops") return this.#end(message, result, effects);
    if (result.kind !== "goes-on") throw new Error(`${result.kind} outside init`);
    if (message.kind === "call" && result.replyText === undefined) ledger.defer(message);
    else ledger.settle(message, result.replyText);
    const ending = this.#goOn(result, effects, "");
    return ending.continueText || ending.hibernates ? ending : "next";
  }

  /** Takes the state and what the turn wants done. */
  #goOn(
    { state, stateText, continueText, hibernates, timeoutMs }: TurnResult & { kind: "goes-on" },
    effects: readonly Effect[],
    life: "" | "alive",
  ): Ending {
    const { activation, ledger, acts } = this.#options;
    const armed = timeoutMs === undefined ? [] : this.#armTimeout(timeoutMs);
    activation.accept(state, stateText);
    if (effects.length > 0 || activation.ties.hasChanged || armed.length > 0) {
      ledger.addActs(acts.write(effects, activation.ties.keep(), activation.withTags));
      ledger.addActs(armed);
    }
    return { life, continueText, hibernates };
  }

  async #start(message: Message): Promise<AfterTurn> {
    const { activation, ledger } = this.#options;
    if (message.deaths >= MOST_DEATHS) return this.#bury(message);
    // A process that stopped with its state kept begins again with it.
    if (activation.stateText !== undefined) {
      activation.isStarting = false;
      ledger.settle(message, '{"revived":true}');
      return { life: "alive" };
    }
    const { result, effects } = await this.#take("init", toOccasion(message, message.content));
    switch (result.kind) {
      case "goes-on":
        activation.isStarting = false;
        ledger.settle(message, '{"revived":false}');
        return this.#goOn(result, effects, "alive");
      case "refuses":
        return this.#refuse(message, "init_stopped", `init stopped: ${result.reason}`);
      case "ignores":
        return this.#refuse(message, "init_ignored", "init wanted no process");
      default: {
        const failure = result.kind === "fails" ? result.failure : { detail: "init stopped", stack: [] };
        this.#noteFailure(message, { ...failure, code: "init_failed" });
        return this.#refuse(message, "init_failed", failure.detail, failure.stack);
      }
    }
  }

  #refuse(message: Message, code: LedgerFailure["code"], detail: string, stack: string[] = []): Ending {
    this.#options.activation.ties.undo();
    this.#options.ledger.settleFailed(message, { code, detail, stack }, false);
    return { life: "wiped", reason: detail };
  }

  async #stop(message: Message): Promise<AfterTurn> {
    const { activation, ledger } = this.#options;
    if (message.deaths >= MOST_DEATHS) return this.#bury(message);
    const { reason } = message.content as { reason: string };
    await this.#terminate(reason, toOccasion(message, message.content), activation.state, []);
    ledger.settle(message, JSON.stringify({ reason }));
    return lifeAfter(activation, reason);
  }

  /** The callback stopped the process. */
  async #end(
    message: Message,
    { reason, replyText, state, stateText }: TurnResult & { kind: "stops" },
    effects: readonly Effect[],
  ): Promise<AfterTurn> {
    const { activation, ledger } = this.#options;
    // Accepted only then: while terminate waits, the turns before this one are committed, and this one is not.
    await this.#terminate(reason, toOccasion(message, message.content), state, effects);
    activation.accept(state, stateText);
    if (message.kind === "call" && replyText === undefined) {
      const detail = `${activation.lease.pid} stopped without a reply: ${reason}`;
      ledger.settleFailed(message, { code: "no_process", detail, stack: [] }, false);
    } else {
      ledger.settle(message, replyText);
    }
    return lifeAfter(activation, reason);
  }

  /** An exit signal: of a linked process that ended, or one that another process sent. */
  async #exit(message: Message): Promise<AfterTurn> {
    const { activation, ledger } = this.#options;
    const { pid, reason, linked } = message.content as { pid: Pid; reason: string; linked: boolean };
    if (linked && !activation.ties.isLinked(pid)) return this.#dropped(message, "the link has ended");
    const unlink = () => (linked && activation.ties.deleteLink(pid) ? [["unwatch", `l:${pid}`] as Act] : []);
    const isKill = reason === "kill" && !linked;
    if (activation.module.trapExit && !isKill) {
      return this.#deliver(message, "handleInfo", { type: "EXIT", pid, reason }, unlink);
    }
    if (reason === "normal" && pid !== activation.lease.pid) {
      ledger.addActs([...unlink(), ...this.#options.acts.write([], activation.ties.keep(), activation.withTags)]);
      ledger.settle(message, undefined);
      return "next";
    }
    ledger.settle(message, undefined);
    return lifeAfter(activation, isKill ? "killed" : reason);
  }

  /** A process that this one monitors has ended. */
  #down(message: Message): Promise<AfterTurn> | AfterTurn {
    const { ties } = this.#options.activation;
    const { ref } = message.content as { ref: string };
    if (ties.monitor(ref) === undefined) return this.#dropped(message, "the monitor has ended");
    return this.#deliver(message, "handleInfo", message.content, () => {
      ties.deleteMonitor(ref);
      return [];
    });
  }

  /** Another process has linked itself to this one, or taken the link back. */
  #link(message: Message): AfterTurn {
    const { activation, ledger, acts } = this.#options;
    const { pid } = message.content as { pid: Pid };
    const isLink = message.kind === "link";
    if (isLink) activation.ties.setLink(pid);
    else activation.ties.deleteLink(pid);
    ledger.addActs([isLink ? acts.watchLink(pid) : ["unwatch", `l:${pid}`]]);
    ledger.addActs(acts.write([], activation.ties.keep(), activation.withTags));
    ledger.settle(message, undefined);
    return "next";
  }

  /** A timer's message. */
  #tick(message: Message, name: string): Promise<AfterTurn> | AfterTurn {
    const { activation, ledger, acts, now } = this.#options;
    const { ties, lease } = activation;
    const timer = ties.timer(name);
    if (timer?.id !== message.id) return this.#dropped(message, "the timer was cancelled");
    const { runs, nextAt } = readTick(timer, now());
    const nextId = newMessageId(lease.partition);
    const arm = (): Act[] => {
      ties.deleteTimer(name);
      if (nextAt === undefined) return [];
      ties.setTimer(name, { ...timer, id: nextId, dueAt: nextAt });
      return [["arm", nextId, nextAt, seal(timer.messageText ?? "null", { timer: name })]];
    };
    if (runs) return this.#deliver(message, "handleInfo", message.content, arm);
    ledger.addActs([...arm(), ...acts.write([], ties.keep(), activation.withTags)]);
    ledger.settle(message, undefined);
    return "next";
  }

  #dropped(message: Message, why: string): AfterTurn {
    this.#options.ledger.settleDropped(message, why);
    return "next";
  }

  /** Another message has come before the timeout. */
  #cancelTimeout(): Act[] {
    const { ties } = this.#options.activation;
    const timer = ties.timer(TIMEOUT);
    if (!timer) return [];
    ties.deleteTimer(TIMEOUT);
    return [["disarm", timer.id]];
  }

  #armTimeout(timeoutMs: number): Act[] {
    const { activation, now } = this.#options;
    const timer = { id: newMessageId(activation.lease.partition), dueAt: now() + timeoutMs };
    activation.ties.setTimer(TIMEOUT, timer);
    return [["arm", timer.id, timer.dueAt, seal('"timeout"', { timer: TIMEOUT })]];
  }

  #take(callback: ReturningCallback, occasion: Occasion) {
    this.#options.ledger.noteTurn();
    return this.#options.callbacks.take(callback, occasion);
  }

  async #terminate(reason: string, occasion: Occasion, state: unknown, effects: readonly Effect[]): Promise<void> {
    const { callbacks, ledger, acts, activation } = this.#options;
    const last = await callbacks.terminate(reason, occasion, state);
    ledger.addActs(acts.write([...effects, ...last], activation.ties.keep(), activation.withTags));
  }

  #fail(message: Message, failure: LedgerFailure, change: () => Act[]): AfterTurn {
    const { activation, ledger, acts } = this.#options;
    activation.restore();
    const { attempts, backoff = 0 } = activation.module.retry;
    const isMail = message.kind !== "call";
    if (isMail && failure.code !== "invalid_message" && message.tries + 1 < attempts) {
      this.#noteCrash(message, failure);
      ledger.addActs([["retry", message.id, backoffMs(backoff, message.tries)]]);
      return { life: "" };
    }
    ledger.addActs([...change(), ...acts.write([], activation.ties.keep(), activation.withTags)]);
    ledger.settleFailed(message, failure, isMail);
    if (failure.code === "invalid_message") this.#noteFailure(message, failure);
    else this.#noteCrash(message, failure);
    return { life: "" };
  }

  /** A message that has ended three nodes is not tried again. */
  #bury(message: Message, change: () => Act[] = noChange): AfterTurn {
    const { activation, ledger, acts } = this.#options;
    ledger.addActs([...change(), ...acts.write([], activation.ties.keep(), activation.withTags)]);
    const { failure } = failAfterDeaths(message.deaths, `${activation.lease.pid} handled this message`, message.blame);
    this.#noteCrash(message, failure);
    ledger.settleFailed(message, failure, true);
    return { life: activation.isStarting ? "wiped" : "", reason: failure.detail };
  }

  #noteCrash(message: Message | undefined, failure: LedgerFailure): void {
    const { activation, ledger } = this.#options;
    this.#noteFailure(message, failure);
    if (!activation.noteCrash()) return;
    const { crashes, withinMs } = activation.module.intensity;
    const why = `more than ${crashes} crashes within ${withinMs} ms, the last one: ${failure.detail}`;
    this.#options.events.emit("error", "process.quarantined", { pid: activation.lease.pid, reason: why });
    ledger.addActs([["quarantine", why]]);
  }

  #noteFailure(message: Message | undefined, { code, detail, stack }: LedgerFailure): void {
    const { pid } = this.#options.activation.lease;
    this.#options.events.emit("warn", "turn.failed", { pid, messageId: message?.id, code, detail, stack });
  }
}

function noChange(): Act[] {
  return [];
}

function toOccasion(message: Message, content: unknown): Occasion {
  const { id, chain, deadline, tries } = message;
  return { id, messageId: id, attempt: tries + 1, chain, deadline, content };
}

function backoffMs(backoff: number | { type: "fixed" | "exponential"; delay: number }, tries: number): number {
  if (typeof backoff === "number") return backoff;
  return backoff.type === "fixed" ? backoff.delay : Math.min(backoff.delay * 2 ** tries, 86_400_000);
}

function lifeAfter({ module }: Activation, reason: string): Ending {
  const isNormal = reason === "normal" || reason === "shutdown" || reason.startsWith("shutdown:");
  const isKept = module.keepState === "always" || (module.keepState === "after-crash" && !isNormal);
  return { life: isKept ? "stopped" : "wiped", reason };
}
