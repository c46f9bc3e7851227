/** A command to an action: a function without a state, one request and one response. */

import type protobuf from "protobufjs";
import { CommandContext, errorInCommand, methodOf, missingHandler, unknownCommand } from "./command-context.ts";
import { type AnyValue, decodeAs, encodeAs } from "./protocol/any.ts";
import { clientAction } from "./protocol/client-action.ts";
import type { WireMetadata } from "./protocol/wire.ts";

type MaybePromise<T> = T | Promise<T>;

/** `never` lets an author name the type of the message that the handler is for. */
export type ActionHandler = (command: never, context: CommandContext) => MaybePromise<object | undefined>;

/** What a call asks an action's definition. */
export interface ActionRules {
  readonly root: protobuf.Root;
  readonly service: protobuf.Service;
  handlerOf(commandName: string): ActionHandler | undefined;
}

export interface ActionCommand {
  readonly serviceName: string;
  readonly name: string;
  readonly payload?: AnyValue | null;
  readonly metadata?: WireMetadata | null;
}

/** Never rejects: what goes wrong is the response. */
export async function answerAction(command: ActionCommand, rules: ActionRules | undefined): Promise<object> {
  if (!rules) return failure(`There is no action with the service '${command.serviceName}'`);
  const method = methodOf(rules.service, command.name);
  if (!method?.resolvedRequestType || !method.resolvedResponseType) return failure(unknownCommand(command));
  const handler = rules.handlerOf(command.name);
  if (!handler) return failure(missingHandler(command));
  try {
    const context = new CommandContext({ root: rules.root, hasForwards: true }, command.metadata);
    const payload = decodeAs(method.resolvedRequestType, command.payload);
    const outcome = await context.run(() => handler(payload as never, context));
    if (outcome.failure !== undefined) return failure(outcome.failure);
    const answer = outcome.forward ?? encodeAs(method.resolvedResponseType, outcome.reply);
    return { ...clientAction(answer), sideEffects: outcome.effects };
  } catch (error) {
    return failure(errorInCommand(command, error));
  }
}

function failure(description: string): object {
  return { failure: { description } };
}
