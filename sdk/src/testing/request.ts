/** Whoever waits for an answer, and the answer. */

import { CallError } from "../runtime/turn-errors.ts";
import type { Outcome } from "./outcomes.ts";

/** A call on its way. */
export class Request {
  readonly #isAnswered: () => boolean;
  readonly #wait: () => Promise<unknown>;

  constructor(isAnswered: () => boolean, wait: () => Promise<unknown>) {
    this.#isAnswered = isAnswered;
    this.#wait = wait;
  }

  /** Whether its outcome is known, a reply or an error. */
  get isAnswered(): boolean {
    return this.#isAnswered();
  }

  /** The reply; time passes while nothing else can bring it. Rejects as `call` does. */
  reply(): Promise<unknown> {
    return this.#wait();
  }
}

/** The reply in an outcome; throws the CallError that it is instead, also where there is none yet. */
export function readOutcome(outcome: Outcome | undefined): unknown {
  if (!outcome) throw new CallError("call_timeout", "no answer within the time of the call");
  if (outcome.status !== "done") throw new CallError(outcome.error.code, outcome.error.detail);
  return outcome.replyText === undefined ? null : JSON.parse(outcome.replyText);
}
