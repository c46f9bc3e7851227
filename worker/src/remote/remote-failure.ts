/** A callback that ran, or should have run, in a web app has failed; told as a failure of the turn. */

import type { TurnFailure } from "genserverless/runtime/turn.ts";

/** As far as an app is believed that it is no longer. */
const LONGEST_DETAIL = 8_000;
const LONGEST_STACK_LINE = 1_000;

export class RemoteFailure extends Error {
  override name = "RemoteFailure";
  readonly failure: TurnFailure;
  /** No answer came that counts, or one of another version. */
  readonly isAway: boolean;

  constructor({ code, detail, stack }: TurnFailure, isAway = false) {
    super(detail.slice(0, LONGEST_DETAIL));
    this.failure = { code, detail: this.message, stack: stack.map((line) => line.slice(0, LONGEST_STACK_LINE)) };
    this.isAway = isAway;
  }
}
