/** A callback that ran, or should have run, in a web app has failed; told as a failure of the turn. */

import type { TurnFailure } from "genserverless/runtime/turn.ts";

export class RemoteFailure extends Error {
  override name = "RemoteFailure";
  readonly failure: TurnFailure;
  /** No answer came that counts. */
  readonly isAway: boolean;

  constructor(failure: TurnFailure, isAway = false) {
    super(failure.detail);
    this.failure = failure;
    this.isAway = isAway;
  }
}
