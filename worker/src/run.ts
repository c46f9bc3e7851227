/**
 * A run takes a process that has mail from its claim to the moment it is idle, stopped, given up or lost: turns, commit,
 * the next messages, turns, commit … Messages fetched together share one commit. A turn that ends the batch early – it
 * stopped, continued, hibernated or failed, or the batch has taken `BATCH_MS` – is committed with what came before it,
 * and the rest of the batch follows. A callback that waits does not hold up the replies of the turns before it: they are
 * committed meanwhile.
 *
 * A commit that is refused means that the lease is lost: the run ends, and nothing of it is true but what was committed.
 */

import type { Fetched, Leases, Settlement } from "@genserverless/shared/cluster/leases.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Log } from "genserverless";
import type { ReturningCallback } from "genserverless/interpret.ts";
import type { Activation } from "./activation.ts";
import { currentTurn, TurnContext } from "./context.ts";
import { type Message, openMessage } from "./message.ts";
import {
  describeError,
  failWith,
  failWithoutHandler,
  failWithTimeout,
  invoke,
  readTurn,
  type TurnFailure,
  type TurnResult,
} from "./turn.ts";

export interface RunOptions {
  leases: Leases;
  log: Log;
  events: Events;
  /** Whether the process should go to another worker as soon as no turn is under way. */
  shouldLeave: (activation: Activation) => boolean;
  /** Whether others wait for this process's place. */
  hasBacklog: () => boolean;
  noteTurns: (turns: number) => void;
}

export type RunEnd = "idle" | "stopped" | "asleep" | "left" | "lost" | "yielded";

const BATCH_MS = 5;
/** How long a process may go on while others wait for its place. */
const PLACE_MS = 100;
const MOST_DEATHS = 3;
const CALLBACKS = { call: "handleCall", cast: "handleCast", info: "handleInfo" } as const;

const TIMED_OUT = Symbol("timed out");
const ABANDONED = Symbol("abandoned");

/** What follows a turn: the next one, or a commit with these words. */
interface Ending {
  life: "" | "alive" | "stopped" | "wiped";
  continueText?: string | undefined;
  hibernates?: boolean;
}

type AfterTurn = "next" | Ending;

export class Run {
  readonly #activation: Activation;
  readonly #options: RunOptions;
  #settlements: Settlement[] = [];
  #bytes = 0;
  #turns = 0;
  #committedText: string | undefined;
  #isLost = false;
  #abandonTurn: (() => void) | undefined;
  #commitError: unknown;

  constructor(activation: Activation, options: RunOptions) {
    this.#activation = activation;
    this.#options = options;
    this.#committedText = activation.stateText;
  }

  /** Ends the run as lost: the turn under way is sealed, and nothing more is committed. */
  abandon(): void {
    this.#isLost = true;
    this.#abandonTurn?.();
  }

  async run(messages: Fetched[]): Promise<RunEnd> {
    const activation = this.#activation;
    const placeEndsAt = performance.now() + PLACE_MS;
    let batch = messages;
    for (;;) {
      const { continueText } = activation;
      const { ending, left } = continueText
        ? await this.#continue(batch, continueText)
        : await this.#handleBatch(batch);
      if (this.#commitError) throw this.#commitError;
      if (this.#isLost) return "lost";
      const yields = this.#options.hasBacklog() && performance.now() > placeEndsAt;
      const mayFetch = left.length === 0 && !ending.continueText && !yields && !this.#options.shouldLeave(activation);
      const committed = await this.#commit(ending, mayFetch ? activation.width : 0);
      if (!committed) return "lost";
      if (ending.life === "wiped" || ending.life === "stopped") {
        if (!committed.isSwept) await this.#options.leases.sweep(activation.lease.partition);
        return "stopped";
      }
      activation.continueText = ending.continueText ?? "";
      if (!ending.continueText && this.#options.shouldLeave(activation)) {
        return (await this.#options.leases.handOver(activation.lease)) ? "left" : "lost";
      }
      if (yields && left.length === 0 && !ending.continueText) return "yielded";
      if (mayFetch) activation.adaptWidth(committed.messages);
      batch = left.length > 0 ? left : committed.messages;
      if (batch.length > 0 || activation.continueText) continue;
      if (!ending.hibernates || committed.hasMail) return "idle";
      return (await this.#options.leases.passivate(activation.lease)) ? "asleep" : "idle";
    }
  }

  async #handleBatch(batch: Fetched[]): Promise<{ ending: Ending; left: Fetched[] }> {
    const endsAt = performance.now() + BATCH_MS;
    for (const [index, fetched] of batch.entries()) {
      const after = await this.#handle(openMessage(fetched));
      const isLast = index === batch.length - 1;
      if (this.#isLost || isLast || after !== "next" || performance.now() > endsAt) {
        return { ending: after === "next" ? { life: "" } : after, left: batch.slice(index + 1) };
      }
    }
    return { ending: { life: "" }, left: [] };
  }

  #handle(message: Message): Promise<AfterTurn> {
    if (message.deaths >= MOST_DEATHS) return this.#bury(message);
    switch (message.kind) {
      case "start":
        return this.#start(message);
      case "stop":
        return this.#stop(message);
      default:
        return this.#deliver(message, CALLBACKS[message.kind]);
    }
  }

  async #deliver(message: Message, callback: "handleCall" | "handleCast" | "handleInfo"): Promise<AfterTurn> {
    const { module } = this.#activation;
    if (!module[callback]) {
      if (callback !== "handleInfo") return this.#fail(message, failWithoutHandler(module, callback));
      this.#options.events.emit("info", "info.ignored", { pid: this.#activation.lease.pid, messageId: message.id });
      this.#settle(message, undefined);
      return "next";
    }
    const result = await this.#take(callback, message.id, message.content);
    switch (result.kind) {
      case "goes-on":
        this.#activation.accept(result.state, result.stateText);
        this.#settle(message, result.replyText);
        if (!result.continueText && !result.hibernates) return "next";
        return { life: "", continueText: result.continueText, hibernates: result.hibernates };
      case "stops":
        return this.#end(message, result);
      default:
        return this.#fail(message, result);
    }
  }

  async #start(message: Message): Promise<AfterTurn> {
    const activation = this.#activation;
    // A process that stopped with its state kept begins again with it.
    if (activation.stateText !== undefined) {
      activation.isStarting = false;
      this.#settle(message, '{"revived":true}');
      return { life: "alive" };
    }
    const result = await this.#take("init", message.id, message.content);
    switch (result.kind) {
      case "goes-on":
        activation.accept(result.state, result.stateText);
        activation.isStarting = false;
        this.#settle(message, '{"revived":false}');
        return { life: "alive", continueText: result.continueText, hibernates: result.hibernates };
      case "refuses":
        this.#settleFailed(message, { code: "init_stopped", detail: `init stopped: ${result.reason}`, stack: [] });
        return { life: "wiped" };
      default: {
        const failure = result.kind === "fails" ? result.failure : { detail: "init stopped", stack: [] };
        this.#noteFailure(message, { ...failure, code: "init_failed" });
        this.#settleFailed(message, { ...failure, code: "init_failed" });
        return { life: "wiped" };
      }
    }
  }

  async #stop(message: Message): Promise<AfterTurn> {
    const { reason } = message.content as { reason: string };
    await this.#terminate(reason, message.id, this.#activation.state);
    this.#settle(message, JSON.stringify({ reason }));
    return lifeAfter(reason);
  }

  /** The callback stopped the process. */
  async #end(message: Message, result: TurnResult & { kind: "stops" }): Promise<AfterTurn> {
    const { reason, replyText } = result;
    // Accepted only then: while terminate waits, the turns before this one are committed, and this one is not.
    await this.#terminate(reason, message.id, result.state);
    this.#activation.accept(result.state, result.stateText);
    if (message.kind === "call" && replyText === undefined) {
      const detail = `${this.#activation.lease.pid} stopped without a reply: ${reason}`;
      this.#settleFailed(message, { code: "no_process", detail, stack: [] });
    } else {
      this.#settle(message, replyText);
    }
    return lifeAfter(reason);
  }

  async #continue(batch: Fetched[], continueText: string): Promise<{ ending: Ending; left: Fetched[] }> {
    const { module, continueDeaths } = this.#activation;
    const refusal = !module.handleContinue
      ? failWithoutHandler(module, "handleContinue")
      : continueDeaths >= MOST_DEATHS && failAfterDeaths(continueDeaths, `${module.name}.handleContinue ran`);
    if (refusal) {
      this.#noteFailure(undefined, refusal.failure);
      return { ending: { life: "" }, left: batch };
    }
    const result = await this.#take("handleContinue", "", JSON.parse(continueText));
    if (result.kind === "goes-on") {
      this.#activation.accept(result.state, result.stateText);
      return { ending: { life: "", continueText: result.continueText, hibernates: result.hibernates }, left: batch };
    }
    if (result.kind === "stops") {
      await this.#terminate(result.reason, "", result.state);
      this.#activation.accept(result.state, result.stateText);
      return { ending: lifeAfter(result.reason), left: [] };
    }
    if (result.kind === "fails") this.#noteFailure(undefined, result.failure);
    this.#activation.restore();
    return { ending: { life: "" }, left: batch };
  }

  async #terminate(reason: string, messageId: string, state: unknown): Promise<void> {
    const { module, lease } = this.#activation;
    if (!module.terminate) return;
    const ctx = new TurnContext(lease.pid, messageId, this.#options.log);
    try {
      await this.#untilSettled(() => currentTurn.run(ctx, () => module.terminate?.(reason, state as never, ctx)), ctx);
    } catch (error) {
      const what = error === TIMED_OUT ? "exceeded its deadline" : `threw ${describeError(error)[0]}`;
      this.#options.events.emit("warn", "terminate.failed", {
        pid: lease.pid,
        reason: `${module.name}.terminate ${what}`,
      });
    } finally {
      ctx.seal("terminate has returned");
    }
  }

  /** Runs one callback under its deadline and reads what it returned. */
  async #take(callback: ReturningCallback, messageId: string, content: unknown): Promise<TurnResult> {
    const { module, lease, state } = this.#activation;
    const ctx = new TurnContext(lease.pid, messageId, this.#options.log);
    this.#turns += 1;
    let cause = "its callback has returned";
    try {
      const returned = await this.#untilSettled(() => invoke(module, callback, messageId, content, state, ctx), ctx);
      return readTurn(module, callback, returned);
    } catch (error) {
      if (error === TIMED_OUT) {
        cause = "it exceeded its deadline";
        return failWithTimeout(module, callback);
      }
      if (error === ABANDONED) cause = "the lease was lost";
      return failWith(module, callback, error);
    } finally {
      ctx.seal(cause);
    }
  }

  /** The value of a callback. One that waits lets the turns before it be committed, and is given up at its deadline. */
  async #untilSettled(start: () => unknown, ctx: TurnContext): Promise<unknown> {
    const value = start();
    if (!isThenable(value)) return value;
    const settled = this.#withDeadline(value, ctx);
    if (this.#settlements.length > 0) {
      const isPending = await isPendingAfter(settled, BATCH_MS);
      if (isPending) await this.#commitMeanwhile();
    }
    return await settled;
  }

  async #commitMeanwhile(): Promise<void> {
    try {
      if (!(await this.#commit({ life: "" }, 0))) this.abandon();
    } catch (error) {
      this.#commitError = error;
      this.abandon();
    }
  }

  #withDeadline(value: PromiseLike<unknown>, ctx: TurnContext): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const giveUp = (why: symbol) => {
        ctx.seal(why === TIMED_OUT ? "it exceeded its deadline" : "the lease was lost");
        reject(why);
      };
      const timer = setTimeout(giveUp, this.#activation.module.turnTimeoutMs, TIMED_OUT);
      this.#abandonTurn = () => giveUp(ABANDONED);
      value.then(
        (result) => {
          clearTimeout(timer);
          resolve(result);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(error);
        },
      );
      if (this.#isLost) this.#abandonTurn();
    });
  }

  #fail(message: Message, result: TurnResult): AfterTurn {
    const { pid } = this.#activation.lease;
    const refused: TurnFailure = { code: "invalid_return", detail: `${pid} refused outside init`, stack: [] };
    const failure = result.kind === "fails" ? result.failure : refused;
    this.#activation.restore();
    this.#noteFailure(message, failure);
    this.#settleFailed(message, failure);
    return { life: "" };
  }

  /** A message that has ended three nodes is not tried again. */
  async #bury(message: Message): Promise<AfterTurn> {
    const { failure } = failAfterDeaths(
      message.deaths,
      `${this.#activation.lease.pid} handled this message`,
      message.blame,
    );
    this.#noteFailure(message, failure);
    this.#settleFailed(message, failure, true);
    return { life: this.#activation.isStarting ? "wiped" : "" };
  }

  #settle(message: Message, replyText: string | undefined): void {
    const reply = replyText === undefined ? "" : `,"reply":${replyText}`;
    this.#addSettlement(message, "done", `{"status":"done"${reply}}`);
  }

  #settleFailed(
    message: Message,
    { code, detail, stack }: TurnFailure,
    isDead = message.kind === "cast" || message.kind === "info",
  ): void {
    const outcome = JSON.stringify({ status: "failed", error: { code, detail } });
    this.#addSettlement(message, isDead ? "dead" : "done", outcome, detail, stack);
  }

  #addSettlement(message: Message, verdict: "done" | "dead", outcome: string, reason = "", stack?: string[]): void {
    const { id, replyTo, hash, keepMs } = message;
    const dead = verdict === "dead" && { reason, stack: stack ?? [] };
    this.#settlements.push({ id, verdict, outcome, replyTo, hash, keepMs, ...dead });
    this.#bytes += message.bytes;
  }

  async #commit({ life, continueText }: Ending, width: number) {
    const { lease, module, stateText } = this.#activation;
    const settlements = this.#settlements;
    const request = {
      width,
      stateText: stateText === this.#committedText ? undefined : stateText,
      version: module.version,
      continueText,
      life,
      bytes: this.#bytes,
      turns: this.#turns,
      settlements,
    };
    this.#options.noteTurns(this.#turns);
    this.#settlements = [];
    this.#bytes = 0;
    this.#turns = 0;
    const committed = await this.#options.leases.commit(lease, request);
    if (!committed) return undefined;
    lease.revision = committed.revision;
    this.#committedText = stateText;
    return committed;
  }

  #noteFailure(message: Message | undefined, { code, detail, stack }: TurnFailure): void {
    const { pid } = this.#activation.lease;
    this.#options.events.emit("warn", "turn.failed", { pid, messageId: message?.id, code, detail, stack });
  }
}

function failAfterDeaths(deaths: number, what: string, blame = ""): { kind: "fails"; failure: TurnFailure } {
  const detail = `${deaths} nodes died while ${what}`;
  return { kind: "fails", failure: { code: "node_died", detail, stack: blame ? blame.split("\n") : [] } };
}

function lifeAfter(reason: string): Ending {
  return { life: reason === "normal" || reason === "shutdown" ? "wiped" : "stopped" };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

async function isPendingAfter(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, true);
  });
  const settled = promise.then(
    () => false,
    () => false,
  );
  const isPending = await Promise.race([settled, late]);
  clearTimeout(timer);
  return isPending;
}
