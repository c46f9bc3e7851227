/**
 * Runs the callbacks of one process, one at a time, each under the module's deadline and with a context of its own. What a
 * callback's code still does after its deadline, or after the lease was lost, finds the context sealed.
 */

import type { Events } from "@genserverless/shared/service/events.ts";
import type { Log } from "genserverless";
import type { ReturningCallback } from "genserverless/interpret.ts";
import type { Activation } from "./activation.ts";
import { currentTurn, TurnContext } from "./context.ts";
import { describeError, failWith, failWithTimeout, invoke, readTurn, type TurnResult } from "./turn.ts";

export interface CallbacksOptions {
  log: Log;
  events: Events;
  /** Whether a callback that waits holds anything up. */
  holdsUp: () => boolean;
  /** Called when such a callback has been waiting for `WAIT_MS`, and awaited before its value is taken. */
  onWaiting: () => Promise<void>;
}

const WAIT_MS = 5;
const TIMED_OUT = Symbol("timed out");
const ABANDONED = Symbol("abandoned");

export class Callbacks {
  readonly #activation: Activation;
  readonly #options: CallbacksOptions;
  #isAbandoned = false;
  #abandonOne: (() => void) | undefined;

  constructor(activation: Activation, options: CallbacksOptions) {
    this.#activation = activation;
    this.#options = options;
  }

  /** The lease is lost: gives up the callback under way, and every later one. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#abandonOne?.();
  }

  /** Runs one callback on the current state and reads what it returned. Never throws. */
  async take(callback: ReturningCallback, messageId: string, content: unknown): Promise<TurnResult> {
    const { module, lease, state } = this.#activation;
    const ctx = new TurnContext(lease.pid, messageId, this.#options.log);
    try {
      const returned = await this.#settle(() => invoke(module, callback, messageId, content, state, ctx), ctx);
      return readTurn(module, callback, returned);
    } catch (error) {
      return error === TIMED_OUT ? failWithTimeout(module, callback) : failWith(module, callback, error);
    } finally {
      ctx.seal("its callback has returned");
    }
  }

  /** Runs terminate where the module has it; what goes wrong in it is only told. */
  async terminate(reason: string, messageId: string, state: unknown): Promise<void> {
    const { module, lease } = this.#activation;
    if (!module.terminate) return;
    const ctx = new TurnContext(lease.pid, messageId, this.#options.log);
    try {
      await this.#settle(() => currentTurn.run(ctx, () => module.terminate?.(reason, state as never, ctx)), ctx);
    } catch (error) {
      const what = error === TIMED_OUT ? "exceeded its deadline" : `threw ${describeError(error)[0]}`;
      const fields = { pid: lease.pid, reason: `${module.name}.terminate ${what}` };
      this.#options.events.emit("warn", "terminate.failed", fields);
    } finally {
      ctx.seal("terminate has returned");
    }
  }

  async #settle(start: () => unknown, ctx: TurnContext): Promise<unknown> {
    const value = start();
    if (!isThenable(value)) return value;
    const settled = this.#withDeadline(value, ctx);
    if (this.#options.holdsUp() && (await isPendingAfter(settled, WAIT_MS))) await this.#options.onWaiting();
    return await settled;
  }

  #withDeadline(value: PromiseLike<unknown>, ctx: TurnContext): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const giveUp = (why: symbol) => {
        ctx.seal(why === TIMED_OUT ? "it exceeded its deadline" : "the lease was lost");
        reject(why);
      };
      const timer = setTimeout(giveUp, this.#activation.module.turnTimeoutMs, TIMED_OUT);
      this.#abandonOne = () => giveUp(ABANDONED);
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
      if (this.#isAbandoned) this.#abandonOne();
    });
  }
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
