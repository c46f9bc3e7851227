/**
 * What a callback holds of its turn. It is sealed when the turn has ended: what the callback's code still does after its
 * deadline, or after the lease was lost, can change nothing, and its signal has fired.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { type Pid, splitPid } from "@genserverless/shared/process/pid.ts";
import type { Context, Log } from "genserverless";

/** Says which turn the running code belongs to, also after an await; the watchdog asks for it. */
export const currentTurn = new AsyncLocalStorage<TurnContext>();

/** The turn is over; its context does nothing any more. */
export class TurnEndedError extends Error {
  override name = "TurnEndedError";
}

export class TurnContext implements Context {
  readonly pid: Pid;
  readonly module: string;
  readonly key: string;
  readonly messageId: string;
  readonly #log: Log;
  #controller: AbortController | undefined;
  #ended: TurnEndedError | undefined;

  constructor(pid: Pid, messageId: string, log: Log) {
    const { module, key } = splitPid(pid);
    this.pid = pid;
    this.module = module;
    this.key = key;
    this.messageId = messageId;
    this.#log = log;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ended) this.#controller.abort(this.#ended);
    return this.#controller.signal;
  }

  get log(): Log {
    if (this.#ended) throw this.#ended;
    return {
      debug: (fields, text) => this.#write("debug", fields, text),
      info: (fields, text) => this.#write("info", fields, text),
      warn: (fields, text) => this.#write("warn", fields, text),
      error: (fields, text) => this.#write("error", fields, text),
    };
  }

  /** Ends the turn for its code; `cause` is told to whoever still uses the context. */
  seal(cause: string): void {
    if (this.#ended) return;
    this.#ended = new TurnEndedError(`the turn of ${this.pid} has ended: ${cause}`);
    this.#controller?.abort(this.#ended);
  }

  #write(level: keyof Log, fields: object, text?: string): void {
    if (this.#ended) throw this.#ended;
    this.#log[level]({ pid: this.pid, ...fields }, text);
  }
}
