/**
 * Runs a command from the outside to its reply: sends it to its entity, or to its action; does the side effects that its
 * reply asks for, those that are synchronous first; and goes on where it is forwarded to.
 */

import type { ClusterClock } from "@genserverless/shared/cluster/clock.ts";
import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import { type ServiceError, status } from "@grpc/grpc-js";
import type { Spec } from "../discovery/spec.ts";
import {
  type EffectContent,
  type ReplyContent,
  type TextEntry,
  toAny,
  toBase64,
  toEffectContent,
  toMetadataEntries,
  toTextEntries,
} from "../entity/command-content.ts";
import { type RawAction, type RawEffect, readAction, readEffect } from "../entity/dialects.ts";
import { NOT_SENT } from "../entity/entity.ts";
import { TERMINATED, TIMED_OUT } from "../entity/entity-stream.ts";
import type { Connection, RemoteMethod } from "../user-function/connection.ts";
import { codecOf } from "../user-function/wire.ts";
import { CallFailure, toCallFailure } from "./failures.ts";
import { findTarget, type Target, TargetError } from "./targets.ts";

export interface CommandsOptions {
  messenger: Messenger;
  clock: ClusterClock;
  connection: Connection;
  events: Events;
  relayTimeoutMs: number;
  spec(): Spec | undefined;
  isReachable(): boolean;
  report(message: string): void;
  /** The user function has not answered in time. */
  doubt(): void;
}

export interface CallAnswer {
  payload: Uint8Array;
  metadata: readonly TextEntry[];
}

interface RawActionResponse extends RawAction {
  sideEffects: RawEffect[];
}

const HANDLE_UNARY: RemoteMethod<object, RawActionResponse> = {
  path: "/cloudstate.action.ActionProtocol/handleUnary",
  request: codecOf("cloudstate.action.ActionCommand"),
  response: codecOf("cloudstate.action.ActionResponse"),
};
/** A stream that had broken before the command is made anew with the next one; twice, and something else is wrong. */
const MOST_RESENDS = 2;

export class Commands {
  readonly #options: CommandsOptions;
  #inFlight = 0;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Within the relay timeout, or `withinMs` where that is less. Rejects with CallFailure. */
  async run(command: EffectContent, withinMs = Infinity): Promise<CallAnswer> {
    const endsAt = performance.now() + Math.min(withinMs, this.#options.relayTimeoutMs);
    try {
      return await this.#count(this.#follow(command, endsAt));
    } catch (error) {
      throw toCallFailure(error);
    }
  }

  async #count<T>(work: Promise<T>): Promise<T> {
    this.#inFlight += 1;
    try {
      return await work;
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #follow(command: EffectContent, endsAt: number): Promise<CallAnswer> {
    for (let next = command; ; ) {
      const target = next === command ? this.#find(next) : this.#findForwarded(next);
      const reply = await this.#send(target, next, endsAt);
      for (const effect of reply.effects ?? []) await this.#doEffect(effect, endsAt);
      for (const effect of reply.laterEffects ?? []) {
        void this.#count(this.#doEffect(effect, performance.now() + this.#options.relayTimeoutMs));
      }
      if (!reply.forward) {
        return { payload: Buffer.from(reply.payload ?? "", "base64"), metadata: reply.metadata ?? [] };
      }
      next = reply.forward;
    }
  }

  #find(command: EffectContent): Target {
    const { spec, isReachable } = this.#options;
    if (!isReachable()) throw new CallFailure(status.UNAVAILABLE, "The user function cannot be reached");
    return findTarget(spec(), command);
  }

  /** That nothing takes it is not its caller's fault. */
  #findForwarded(command: EffectContent): Target {
    try {
      return this.#find(command);
    } catch (error) {
      if (!(error instanceof TargetError)) throw error;
      this.#options.report(error.message);
      throw new CallFailure(status.UNKNOWN, error.message);
    }
  }

  /** What it was for is done: that it failed is told, and the caller gets the reply. */
  async #doEffect(effect: EffectContent, endsAt: number): Promise<void> {
    const { serviceName, commandName } = effect;
    try {
      await this.#follow(effect, endsAt);
    } catch (error) {
      const reason = toCallFailure(error).message;
      this.#options.events.emit("warn", "effect.failed", { service: serviceName, command: commandName, reason });
      this.#options.report(`a side effect to ${serviceName}.${commandName} failed: ${reason}`);
    }
  }

  async #send(target: Target, command: EffectContent, endsAt: number): Promise<ReplyContent> {
    const { messenger, clock } = this.#options;
    if (!target.pid) return await this.#runAction(target, command, endsAt);
    for (let resends = 0; ; resends += 1) {
      const content = { ...target.command, sentAt: clock.now() };
      try {
        const { reply } = await messenger.call(target.pid, content, { timeoutMs: leftMs(endsAt) });
        return reply as ReplyContent;
      } catch (error) {
        const isNotSent = error instanceof ClusterError && error.message === NOT_SENT;
        if (!isNotSent) throw error;
        if (resends === MOST_RESENDS) throw new CallFailure(status.UNKNOWN, TERMINATED);
      }
    }
  }

  async #runAction({ served, method }: Target, command: EffectContent, endsAt: number): Promise<ReplyContent> {
    const { connection } = this.#options;
    const question = {
      serviceName: served.service.name,
      name: method.name,
      payload: toAny(method.inputType, command.payload),
      metadata: { entries: toMetadataEntries(command.metadata) },
    };
    const response = await connection.ask(HANDLE_UNARY, question, leftMs(endsAt)).catch((error: unknown) => {
      throw this.#explain(error, method.path);
    });
    const action = readAction(response);
    if (!action) throw new CallFailure(status.UNKNOWN, "Unexpected action failure");
    if (action.kind === "failure") throw new CallFailure(status.UNKNOWN, action.description);
    const effects = response.sideEffects.map(readEffect);
    const [now = [], later = []] = [true, false].map((isNow) =>
      effects.filter(({ synchronous }) => synchronous === isNow).map((effect) => toEffectContent(effect, command)),
    );
    return {
      ...(action.kind === "forward"
        ? { forward: toEffectContent(action.forward, command) }
        : { payload: toBase64(action.payload.value), metadata: toTextEntries(action.metadata) }),
      effects: now,
      laterEffects: later,
    };
  }

  #explain(error: unknown, path: string): CallFailure {
    const { code, message } = error as Partial<ServiceError> & Error;
    this.#options.events.emit("warn", "action.failed", { path, reason: message });
    this.#options.report(`${path}: ${message}`);
    if (code === status.DEADLINE_EXCEEDED) {
      this.#options.doubt();
      return new CallFailure(code, TIMED_OUT);
    }
    if (code === status.UNAVAILABLE) return new CallFailure(code, "The user function cannot be reached");
    return new CallFailure(status.UNKNOWN, "Unexpected action failure");
  }
}

/** At least 1: what is too late is told so by whoever is asked. */
function leftMs(endsAt: number): number {
  return Math.max(1, Math.ceil(endsAt - performance.now()));
}
