/** A command on its way through the author's handler, whatever kind of service it is for. */

import type protobuf from "protobufjs";
import { type CommandContext, methodOf } from "./command-context.ts";
import { describeError } from "./describe-error.ts";
import { type AnyValue, decodeAs, encodeAs } from "./protocol/any.ts";
import type { WireCommand, WireForward, WireSideEffect } from "./protocol/wire.ts";

export type MaybePromise<T> = T | Promise<T>;

type NamedCommand = Pick<WireCommand, "name" | "payload">;
type Handler = (payload: never) => MaybePromise<object | undefined>;

export type CommandResult =
  | { readonly failure: string }
  | { readonly answer: AnyValue | WireForward; readonly effects: readonly WireSideEffect[] };

/** Rejects where the payload or the reply cannot be read, and as the handler does. */
export async function runCommand(
  service: protobuf.Service,
  command: NamedCommand,
  context: CommandContext,
  handler: Handler | undefined,
): Promise<CommandResult> {
  const method = methodOf(service, command.name);
  if (!method?.resolvedRequestType || !method.resolvedResponseType) {
    return { failure: `Unknown command named ${command.name}` };
  }
  if (!handler) return { failure: `No handler register for command '${command.name}'` };
  const payload = decodeAs(method.resolvedRequestType, command.payload);
  const outcome = await context.run(() => handler(payload as never));
  if (outcome.failure !== undefined) return { failure: outcome.failure };
  return { answer: outcome.forward ?? encodeAs(method.resolvedResponseType, outcome.reply), effects: outcome.effects };
}

export function errorInCommand({ name }: NamedCommand, error: unknown): string {
  return `Error handling command '${name}': ${describeError(error)}`;
}
