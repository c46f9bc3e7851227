/** What a caller gets in the later protocol. */

import type { AnyValue } from "./any.ts";
import type { Int64, WireFailure, WireForward } from "./wire.ts";

export type ClientAction =
  | { readonly reply: { readonly payload: AnyValue } }
  | { readonly forward: WireForward }
  | { readonly failure: WireFailure };

export function clientAction(answer: AnyValue | WireForward): ClientAction {
  return "serviceName" in answer ? { forward: answer } : { reply: { payload: answer } };
}

/** The answer to a command that came to nothing, from an entity that stays awake. */
export function failedReply(commandId: Int64, description: string): { reply: object } {
  return { reply: { commandId, clientAction: { failure: { commandId, description } } } };
}
