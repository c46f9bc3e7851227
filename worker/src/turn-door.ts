/** What a turn's context asks of this worker. */

import type { ClusterClock } from "@genserverless/shared/cluster/clock.ts";
import type { Messenger, TurnRequest } from "@genserverless/shared/cluster/messenger.ts";
import { deriveKey } from "@genserverless/shared/process/key.ts";
import { newMessageId } from "@genserverless/shared/process/message.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { mailboxName } from "@genserverless/shared/redis/keys.ts";
import type { TurnHost } from "genserverless/runtime/turn-context.ts";
import { CallError } from "genserverless/runtime/turn-errors.ts";
import type { Activation } from "./activation.ts";
import type { Calls } from "./calls.ts";

export interface TurnDoorOptions {
  clock: ClusterClock;
  messenger: Messenger;
  calls: Calls;
  modules: ReadonlyMap<string, unknown>;
}

/** What a turn that waits for another process means for its run. */
export interface WaitHooks {
  /** Makes the turns before this one true: what this one asks others must not rest on what could still vanish. */
  settleEarlier: () => Promise<void>;
  /** While a turn waits for another process it takes no worker's place. */
  noteWaiting: (change: 1 | -1) => void;
}

/** The message of the turn, as far as its calls are concerned. */
export interface TurnOrigin {
  /** Names the turn; the same when it runs again. */
  id: string;
  attempt: number;
  chain: readonly Pid[];
  deadline: number | undefined;
  /** The trace context of the turn. */
  traceparent?: string | undefined;
}

export class TurnDoor implements TurnHost {
  readonly #options: TurnDoorOptions;
  readonly #hooks: WaitHooks;
  readonly #activation: Activation;
  readonly #origin: TurnOrigin;
  readonly #startedAt = Date.now();
  #asked = 0;
  #keys = 0;
  /** How many answers it waits for. */
  #waiting = 0;

  constructor(options: TurnDoorOptions, hooks: WaitHooks, activation: Activation, origin: TurnOrigin) {
    this.#options = options;
    this.#hooks = hooks;
    this.#activation = activation;
    this.#origin = origin;
  }

  now(): number {
    return this.#options.clock.now();
  }

  knowsModule(module: string): boolean {
    return this.#options.modules.has(module);
  }

  newMessageId(): string {
    return newMessageId(this.#activation.lease.partition);
  }

  /** The same when the turn runs again, so that what it has started before it is found there. */
  newKey(): string {
    const { lease, incarnation } = this.#activation;
    return deriveKey(mailboxName(lease.pid, incarnation), `${this.#origin.id} ${this.#keys++}`);
  }

  call(pid: Pid, messageText: string, timeoutMs: number): Promise<unknown> {
    const { messenger } = this.#options;
    return this.#ask(pid, `call ${messageText}`, timeoutMs, (request) =>
      messenger.callForTurn(pid, messageText, request),
    );
  }

  async startAndWait(pid: Pid, argsText: string, optionsText: string, timeoutMs: number): Promise<void> {
    const { messenger } = this.#options;
    await this.#ask(pid, "start", timeoutMs, (request) => messenger.startForTurn(pid, argsText, optionsText, request));
  }

  async stopAndWait(pid: Pid, reason: string, timeoutMs: number): Promise<void> {
    const { messenger } = this.#options;
    try {
      await this.#ask(pid, `stop ${reason}`, timeoutMs, (request) => messenger.stopForTurn(pid, reason, request));
    } catch (error) {
      if (!(error instanceof CallError && error.code === "no_process")) throw error;
    }
  }

  members(group: string): Promise<Pid[]> {
    return this.#options.calls.members(group);
  }

  async #ask<T>(target: Pid, what: string, timeoutMs: number, send: (request: TurnRequest) => Promise<T>): Promise<T> {
    const { calls, clock } = this.#options;
    const { settleEarlier, noteWaiting } = this.#hooks;
    const { lease, incarnation, module } = this.#activation;
    const { id: turnId, attempt, chain, deadline = Infinity, traceparent } = this.#origin;
    const question = `${this.#asked++} ${what}`;
    const leftMs = module.turnTimeoutMs - (Date.now() - this.#startedAt);
    const turn = {
      pid: lease.pid,
      incarnation,
      turnId,
      attempt,
      chain,
      deadline: Math.min(deadline, clock.now() + leftMs),
    };
    if (this.#waiting++ === 0) noteWaiting(1);
    try {
      await settleEarlier();
      return await calls.ask({
        turn,
        target,
        question,
        timeoutMs,
        send: (request) => send({ ...request, traceparent }),
      });
    } finally {
      if (--this.#waiting === 0) noteWaiting(-1);
    }
  }
}
