/**
 * A run takes a process that has mail from its claim to the moment it is idle, stopped, given up or lost: turns, commit,
 * the next messages, turns, commit … Messages fetched together share one commit. A turn that ends the batch early – it
 * stopped, continued, hibernated or failed, or the batch has taken `BATCH_MS` – is committed with what came before it,
 * and the rest of the batch follows. A callback that waits does not hold up the replies of the turns before it: they are
 * committed meanwhile.
 *
 * A commit that is refused means that the lease is lost: the run ends, and nothing of it is true but what was committed.
 */

import type { Fetched, Leases } from "@genserverless/shared/cluster/leases.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Log } from "genserverless";
import type { ReturningCallback } from "genserverless/interpret.ts";
import type { Activation } from "./activation.ts";
import { Callbacks } from "./callbacks.ts";
import { Ledger } from "./ledger.ts";
import { type Message, openMessage } from "./message.ts";
import { failAfterDeaths, failWithoutHandler, type TurnFailure, type TurnResult } from "./turn.ts";

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
  readonly #callbacks: Callbacks;
  readonly #ledger = new Ledger();
  #committedText: string | undefined;
  #isLost = false;
  #commitError: unknown;

  constructor(activation: Activation, options: RunOptions) {
    this.#activation = activation;
    this.#options = options;
    this.#committedText = activation.stateText;
    this.#callbacks = new Callbacks(activation, {
      ...options,
      holdsUp: () => !this.#ledger.isEmpty && !this.#isLost,
      onWaiting: () => this.#commitMeanwhile(),
    });
  }

  /** Ends the run as lost: the turn under way is sealed, and nothing more is committed. */
  abandon(): void {
    this.#isLost = true;
    this.#callbacks.abandon();
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
      this.#ledger.settle(message, undefined);
      return "next";
    }
    const result = await this.#take(callback, message.id, message.content);
    switch (result.kind) {
      case "goes-on":
        this.#activation.accept(result.state, result.stateText);
        this.#ledger.settle(message, result.replyText);
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
      this.#ledger.settle(message, '{"revived":true}');
      return { life: "alive" };
    }
    const result = await this.#take("init", message.id, message.content);
    switch (result.kind) {
      case "goes-on":
        activation.accept(result.state, result.stateText);
        activation.isStarting = false;
        this.#ledger.settle(message, '{"revived":false}');
        return { life: "alive", continueText: result.continueText, hibernates: result.hibernates };
      case "refuses":
        this.#ledger.settleFailed(
          message,
          { code: "init_stopped", detail: `init stopped: ${result.reason}`, stack: [] },
          false,
        );
        return { life: "wiped" };
      default: {
        const failure = result.kind === "fails" ? result.failure : { detail: "init stopped", stack: [] };
        this.#noteFailure(message, { ...failure, code: "init_failed" });
        this.#ledger.settleFailed(message, { ...failure, code: "init_failed" }, false);
        return { life: "wiped" };
      }
    }
  }

  async #stop(message: Message): Promise<AfterTurn> {
    const { reason } = message.content as { reason: string };
    await this.#callbacks.terminate(reason, message.id, this.#activation.state);
    this.#ledger.settle(message, JSON.stringify({ reason }));
    return lifeAfter(reason);
  }

  /** The callback stopped the process. */
  async #end(message: Message, result: TurnResult & { kind: "stops" }): Promise<AfterTurn> {
    const { reason, replyText } = result;
    // Accepted only then: while terminate waits, the turns before this one are committed, and this one is not.
    await this.#callbacks.terminate(reason, message.id, result.state);
    this.#activation.accept(result.state, result.stateText);
    if (message.kind === "call" && replyText === undefined) {
      const detail = `${this.#activation.lease.pid} stopped without a reply: ${reason}`;
      this.#ledger.settleFailed(message, { code: "no_process", detail, stack: [] }, false);
    } else {
      this.#ledger.settle(message, replyText);
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
      await this.#callbacks.terminate(result.reason, "", result.state);
      this.#activation.accept(result.state, result.stateText);
      return { ending: lifeAfter(result.reason), left: [] };
    }
    if (result.kind === "fails") this.#noteFailure(undefined, result.failure);
    this.#activation.restore();
    return { ending: { life: "" }, left: batch };
  }

  #take(callback: ReturningCallback, messageId: string, content: unknown): Promise<TurnResult> {
    this.#ledger.noteTurn();
    return this.#callbacks.take(callback, messageId, content);
  }

  /** A callback waits: the turns before it need not. */
  async #commitMeanwhile(): Promise<void> {
    try {
      if (!(await this.#commit({ life: "" }, 0))) this.abandon();
    } catch (error) {
      this.#commitError = error;
      this.abandon();
    }
  }

  #fail(message: Message, result: TurnResult): AfterTurn {
    const { pid } = this.#activation.lease;
    const refused: TurnFailure = { code: "invalid_return", detail: `${pid} refused outside init`, stack: [] };
    const failure = result.kind === "fails" ? result.failure : refused;
    this.#activation.restore();
    this.#noteFailure(message, failure);
    this.#ledger.settleFailed(message, failure, message.kind === "cast" || message.kind === "info");
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
    this.#ledger.settleFailed(message, failure, true);
    return { life: this.#activation.isStarting ? "wiped" : "" };
  }

  async #commit({ life, continueText }: Ending, width: number) {
    const { lease, module, stateText } = this.#activation;
    const page = this.#ledger.take();
    this.#options.noteTurns(page.turns);
    const isChanged = stateText !== this.#committedText;
    const state = { stateText: isChanged ? stateText : undefined, version: module.version, continueText };
    const request = { width, ...state, life, ...page };
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

function lifeAfter(reason: string): Ending {
  return { life: reason === "normal" || reason === "shutdown" ? "wiped" : "stopped" };
}
