/**
 * Runs the callbacks of one process, one at a time, each under the module's deadline and with a context of its own. What a
 * callback's code still does after its deadline, or after its turn was given up, finds the context sealed.
 */

import type { Events } from "@genserverless/shared/service/events.ts";
import type { Log } from "genserverless";
import type { Effect } from "genserverless/runtime/effects.ts";
import type { ReturningCallback } from "genserverless/runtime/interpret.ts";
import {
  describeError,
  failWith,
  failWithTimeout,
  invoke,
  isThenable,
  readTurn,
  type TurnResult,
} from "genserverless/runtime/turn.ts";
import { TurnContext } from "genserverless/runtime/turn-context.ts";
import type { Activation } from "./activation.ts";
import { currentTurn } from "./current-turn.ts";
import { RemoteFailure } from "./remote/remote-failure.ts";
import { TurnDoor, type TurnDoorOptions, type TurnOrigin, type WaitHooks } from "./turn-door.ts";

export interface CallbacksOptions extends TurnDoorOptions {
  log: Log;
  events: Events;
}

/** What callbacks that wait mean for their run. */
export interface CallbackHooks extends WaitHooks {
  /** Whether a callback that waits holds anything up. */
  holdsUp: () => boolean;
  /** Called when such a callback has been waiting for `WAIT_MS`, and awaited before its value is taken. */
  onWaiting: () => Promise<void>;
}

/** The message that a callback is given, or what it is given instead. */
export interface Occasion extends TurnOrigin {
  messageId: string;
  content: unknown;
}

/** What a callback came to, and what it wants done if that counts. */
export interface Taken {
  result: TurnResult;
  effects: readonly Effect[];
}

/** The turn was given up, for the lease is lost or the worker leaves: it has come to nothing, and is run again elsewhere. */
export class TurnGivenUp extends Error {
  override name = "TurnGivenUp";
}

const WAIT_MS = 5;
const LOST = "the lease was lost";
const TIMED_OUT = Symbol("timed out");

export class Callbacks {
  readonly #activation: Activation;
  readonly #options: CallbacksOptions;
  readonly #hooks: CallbackHooks;
  #isAbandoned = false;
  #endOne: ((why: TurnGivenUp) => void) | undefined;

  constructor(activation: Activation, options: CallbacksOptions, hooks: CallbackHooks) {
    this.#activation = activation;
    this.#options = options;
    this.#hooks = hooks;
  }

  /** The lease is lost: gives up the callback under way, and every later one. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#endOne?.(new TurnGivenUp(LOST));
  }

  /** Gives up the callback under way, and no later one. */
  giveUp(): void {
    this.#endOne?.(new TurnGivenUp("its worker leaves"));
  }

  /** Runs one callback on the current state and reads what it returned. Throws TurnGivenUp and nothing else. */
  async take(callback: ReturningCallback, occasion: Occasion): Promise<Taken> {
    const { module, state } = this.#activation;
    const ctx = this.#open(occasion);
    try {
      const start = () => invoke(module, callback, occasion.content, state, ctx);
      const returned = await this.#settle(() => currentTurn.run(ctx, start), ctx);
      return { result: readTurn(module, callback, returned, occasion.content), effects: ctx.effects };
    } catch (error) {
      if (error instanceof TurnGivenUp) throw error;
      const result =
        error === TIMED_OUT
          ? failWithTimeout(module, callback, occasion.content)
          : error instanceof RemoteFailure
            ? ({ kind: "fails", failure: error.failure } as const)
            : failWith(module, callback, error, occasion.content);
      return { result, effects: [] };
    } finally {
      ctx.seal("its callback has returned");
    }
  }

  /**
   * Runs terminate where the module has it; what goes wrong in it is only told. Returns what it wants done. Throws TurnGivenUp
   * and nothing else.
   */
  async terminate(reason: string, occasion: Occasion, state: unknown): Promise<readonly Effect[]> {
    const { module, lease } = this.#activation;
    if (!module.terminate) return [];
    // What it asks for is told from what the callback before it asked for.
    const ctx = this.#open({ ...occasion, id: `${occasion.id} terminate` });
    try {
      await this.#settle(() => currentTurn.run(ctx, () => module.terminate?.(reason, state as never, ctx)), ctx);
      return ctx.effects;
    } catch (error) {
      if (error instanceof TurnGivenUp) throw error;
      const what = error === TIMED_OUT ? "exceeded its deadline" : `threw ${describeError(error)[0]}`;
      const fields = { pid: lease.pid, reason: `${module.name}.terminate ${what}` };
      this.#options.events.emit("warn", "terminate.failed", fields);
      return [];
    } finally {
      ctx.seal("terminate has returned");
    }
  }

  #open(occasion: Occasion): TurnContext {
    const { lease, ties } = this.#activation;
    const door = new TurnDoor(this.#options, this.#hooks, this.#activation, occasion);
    const facts = { pid: lease.pid, messageId: occasion.messageId, attempt: occasion.attempt };
    return new TurnContext(facts, door, ties, this.#options.log);
  }

  async #settle(start: () => unknown, ctx: TurnContext): Promise<unknown> {
    const value = start();
    if (!isThenable(value)) return value;
    const settled = this.#withDeadline(value, ctx);
    if (this.#hooks.holdsUp() && (await isPendingAfter(settled, WAIT_MS))) await this.#hooks.onWaiting();
    return await settled;
  }

  #withDeadline(value: PromiseLike<unknown>, ctx: TurnContext): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        ctx.seal("it exceeded its deadline");
        reject(TIMED_OUT);
      }, this.#activation.module.turnTimeoutMs);
      this.#endOne = (why) => {
        clearTimeout(timer);
        ctx.seal(why.message);
        reject(why);
      };
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
      if (this.#isAbandoned) this.#endOne(new TurnGivenUp(LOST));
    });
  }
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
