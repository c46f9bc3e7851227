/** Holds a message against its module's named handlers before it is sent, as the api does. */

import { dispatch, InvalidMessageError, MESSAGE_CALLBACKS } from "../runtime/dispatch.ts";
import { CallError, firstLineOf } from "../runtime/turn-errors.ts";
import type { ServerModule } from "../server-module.ts";
import { contentOf, type Mail } from "./mail.ts";

/** Throws a CallError, or returns a promise that rejects with it where the validator is asynchronous. */
export function checkMessage(module: ServerModule | undefined, mail: Mail): Promise<void> | undefined {
  if (!module || (mail.kind !== "call" && mail.kind !== "cast" && mail.kind !== "info")) return undefined;
  try {
    const dispatched = dispatch(module, MESSAGE_CALLBACKS[mail.kind], contentOf(mail));
    if (!(dispatched instanceof Promise)) return undefined;
    return dispatched.then(
      () => {},
      (error: unknown) => {
        throw toCallError(error);
      },
    );
  } catch (error) {
    throw toCallError(error);
  }
}

function toCallError(error: unknown): CallError {
  if (error instanceof InvalidMessageError) return new CallError("invalid_message", error.message);
  return new CallError("callback_failed", `a validator threw: ${firstLineOf(error)}`);
}
