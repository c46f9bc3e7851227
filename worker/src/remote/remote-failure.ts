/** A callback that ran, or should have run, in a web app has failed; told as a failure of the turn. */

import type { TurnFailure } from "genserverless/runtime/turn.ts";

export class RemoteFailure extends Error {
  override name = "RemoteFailure";
  readonly failure: TurnFailure;

  constructor(failure: TurnFailure) {
    super(failure.detail);
    this.failure = failure;
  }
}
