/**
 * What each kind of message does to a process: which callback it is for, and what comes before that.
 *
 * A message that stands for a tie – a timer's, a DOWN, the exit of a linked process – counts only while the tie is there.
 * The tie is changed before the callback runs, so that the callback sees it so, and again if the callback fails: what has
 * come of the tie does not depend on it. Only where the message is to be tried again everything stays as it was.
 */

import { seal } from "@genserverless/shared/cluster/envelope.ts";
import type { Act } from "@genserverless/shared/cluster/leases.ts";
import { newMessageId } from "@genserverless/shared/process/message.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { isHandled, MESSAGE_CALLBACKS, type MessageCallback } from "genserverless/runtime/dispatch.ts";
import type { ReturningCallback } from "genserverless/runtime/interpret.ts";
import { readTick } from "genserverless/runtime/schedule.ts";
import { failAfterDeaths, failWithoutHandler } from "genserverless/runtime/turn.ts";
import { unwatch } from "./acts.ts";
import type { Occasion, Taken } from "./callbacks.ts";
import type { Message } from "./message.ts";
import type { Meter } from "./meter.ts";
import {
  type AfterTurn,
  type Ending,
  MOST_DEATHS,
  noChange,
  Settling,
  type SettlingOptions,
  type TieChange,
  toOccasion,
} from "./settling.ts";
import type { TurnStart, TurnTrace } from "./turn-trace.ts";

export interface TurnsOptions extends SettlingOptions {
  meter: Meter;
  trace: TurnTrace;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #settling: Settling;

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#settling = new Settling(options);
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
        return this.#linked(message);
      case "unlink":
        return this.#unlinked(message);
      default:
        return message.timer === undefined
          ? this.#deliver(message, MESSAGE_CALLBACKS[message.kind], message.content)
          : this.#tick(message, message.timer);
    }
  }

  /** Runs handleContinue with what it is owed. */
  async continue(continueText: string): Promise<Ending> {
    const { activation } = this.#options;
    const { module, continueDeaths } = activation;
    const refusal = !module.handleContinue
      ? failWithoutHandler(module, "handleContinue")
      : continueDeaths >= MOST_DEATHS && failAfterDeaths(continueDeaths, `${module.name}.handleContinue ran`);
    if (refusal) {
      this.#settling.noteCrash(undefined, refusal.failure);
      return { life: "" };
    }
    const content: unknown = JSON.parse(continueText);
    // The same wherever it is run again: a store in between raises the revision, and counts no turn.
    const id = `continue ${activation.turns}`;
    const occasion = { id, messageId: "", attempt: 1, chain: [], deadline: undefined, content };
    const { result, effects } = await this.#take("handleContinue", occasion);
    if (result.kind === "goes-on") return this.#settling.goOn(result, effects, "", "");
    if (result.kind === "stops") {
      const ending = await this.#settling.terminate(result.reason, occasion, result.state, effects);
      this.#settling.accept(result, "");
      return ending;
    }
    activation.restore(result.kind === "fails" ? result.failure : undefined);
    if (result.kind === "fails") this.#settling.noteCrash(undefined, result.failure);
    return { life: "" };
  }

  async #deliver(
    message: Message,
    callback: MessageCallback,
    content: unknown,
    change: TieChange = noChange,
  ): Promise<AfterTurn> {
    const { activation, events } = this.#options;
    const { module, lease } = activation;
    if (message.deaths >= MOST_DEATHS) return this.#settling.bury(message, change);
    if (!isHandled(module, callback)) {
      if (callback !== "handleInfo") {
        return this.#settling.fail(message, failWithoutHandler(module, callback).failure, change);
      }
      events.emit("info", "info.ignored", { pid: lease.pid, messageId: message.id });
      return this.#settling.settleWith(message, change);
    }
    const before = [...change(), ...this.#settling.cancelTimeout()];
    const { result, effects } = await this.#take(callback, toOccasion(message, content), message);
    if (result.kind === "fails") return this.#settling.fail(message, result.failure, change);
    return this.#settling.settle(message, result, effects, before);
  }

  async #start(message: Message): Promise<AfterTurn> {
    const { activation, ledger } = this.#options;
    if (message.deaths >= MOST_DEATHS) return this.#settling.bury(message);
    // A process that stopped with its state kept begins again with it.
    if (activation.stateText !== undefined) {
      activation.isStarting = false;
      ledger.settle(message, '{"revived":true}');
      return { life: "alive" };
    }
    const { result, effects } = await this.#take("init", toOccasion(message), message);
    switch (result.kind) {
      case "goes-on":
        activation.isStarting = false;
        ledger.settle(message, '{"revived":false}');
        return this.#settling.goOn(result, effects, "alive", message.id);
      case "ignores":
        return this.#settling.refuse(message, { code: "init_ignored", detail: "init wanted no process", stack: [] });
      case "fails": {
        const failure = { ...result.failure, code: "init_failed" as const };
        this.#settling.noteFailure(message, failure);
        return this.#settling.refuse(message, failure);
      }
      default: {
        const detail = `init stopped: ${result.reason}`;
        return this.#settling.refuse(message, { code: "init_stopped", detail, stack: [] });
      }
    }
  }

  async #stop(message: Message): Promise<AfterTurn> {
    const { activation, ledger, trace } = this.#options;
    if (message.deaths >= MOST_DEATHS) return this.#settling.bury(message);
    const { reason } = message.content as { reason: string };
    const occasion = this.#trace("terminate", toOccasion(message), message, this.#findWait(message));
    const ending = await this.#settling.terminate(reason, occasion, activation.state, []);
    trace.end({ kind: "stops" });
    ledger.settle(message, JSON.stringify({ reason }));
    return ending;
  }

  /** An exit signal: of a linked process that ended, or one that another process sent. */
  #exit(message: Message): Promise<AfterTurn> | AfterTurn {
    const { activation, ledger } = this.#options;
    const { pid, reason, refs } = message.content as { pid: Pid; reason: string; refs?: string[] };
    const known = activation.ties.linkRefs(pid);
    if (refs && !refs.some((ref) => known.includes(ref))) return this.#settling.drop(message, "the link has ended");
    const unlink = (): Act[] => (refs ? this.#unlink(pid, refs) : []);
    if (activation.module.trapExit) {
      return this.#deliver(message, "handleInfo", { type: "EXIT", pid, reason }, unlink);
    }
    if (reason === "normal" && pid !== activation.lease.pid) return this.#settling.settleWith(message, unlink);
    ledger.settle(message, undefined);
    return this.#settling.lifeAfter(reason);
  }

  /** A process that this one monitors has ended. */
  #down(message: Message): Promise<AfterTurn> | AfterTurn {
    const { ties } = this.#options.activation;
    const { ref } = message.content as { ref: string };
    if (ties.monitor(ref) === undefined) return this.#settling.drop(message, "the monitor has ended");
    return this.#deliver(message, "handleInfo", message.content, () => {
      ties.deleteMonitor(ref);
      return [];
    });
  }

  /** Another process has linked itself to this one; that it hears of this one's end was noted when the message came. */
  #linked(message: Message): AfterTurn {
    const { pid, ref } = message.content as { pid: Pid; ref: string };
    return this.#settling.settleWith(message, () => {
      this.#options.activation.ties.addLink(pid, ref);
      return [];
    });
  }

  /** Another process has taken a link back. */
  #unlinked(message: Message): AfterTurn {
    const { pid, refs } = message.content as { pid: Pid; refs: string[] };
    return this.#settling.settleWith(message, () => this.#unlink(pid, refs));
  }

  #unlink(pid: Pid, refs: readonly string[]): Act[] {
    this.#options.activation.ties.removeLink(pid, refs);
    return [unwatch(pid, refs)];
  }

  /** A timer's message. */
  #tick(message: Message, name: string): Promise<AfterTurn> | AfterTurn {
    const { activation, now } = this.#options;
    const { ties, lease } = activation;
    const timer = ties.timer(name);
    if (timer?.id !== message.id) return this.#settling.drop(message, "the timer was cancelled");
    const { runs, nextAt } = readTick(timer, now());
    const nextId = newMessageId(lease.partition);
    const arm = (): Act[] => {
      ties.deleteTimer(name);
      if (nextAt === undefined) return [];
      ties.setTimer(name, { ...timer, id: nextId, dueAt: nextAt });
      return [["arm", nextId, nextAt, seal(timer.messageText ?? "null", { timer: name })]];
    };
    return runs ? this.#deliver(message, "handleInfo", message.content, arm) : this.#settling.settleWith(message, arm);
  }

  async #take(callback: ReturningCallback, occasion: Occasion, message?: Message): Promise<Taken> {
    const { activation, callbacks, ledger, meter, trace } = this.#options;
    const waitMs = this.#findWait(message);
    const startedAt = performance.now();
    const taken = await callbacks.take(callback, this.#trace(callback, occasion, message, waitMs));
    ledger.noteTurn();
    trace.end(taken.result);
    const { pid } = activation.lease;
    const isFailed = taken.result.kind === "fails";
    const ms = performance.now() - startedAt;
    meter.noteTurn({ pid, module: activation.module.name, ms, waitMs, isFailed });
    return taken;
  }

  /** How long the message had waited; undefined for what was not queued to be handled at once. */
  #findWait(message: Message | undefined): number | undefined {
    if (message?.queuedAt === undefined || message.tries > 0) return undefined;
    return this.#options.now() - message.queuedAt;
  }

  /** Begins the span of a turn. What is asked for on its occasion follows from it. */
  #trace(callback: TurnStart["callback"], occasion: Occasion, message?: Message, waitMs?: number): Occasion {
    const { activation, trace } = this.#options;
    if (!trace.isOn) return occasion;
    const { attempt } = occasion;
    trace.begin({ module: activation.module.name, callback, attempt, message, waitMs });
    return { ...occasion, traceparent: trace.traceparent };
  }
}
