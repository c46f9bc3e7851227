/** A command to an action: a function without a state, one request and one response. */

import type protobuf from "protobufjs";
import { CommandContext } from "./command-context.ts";
import type { AnyValue } from "./protocol/any.ts";
import { clientAction } from "./protocol/client-action.ts";
import type { WireMetadata } from "./protocol/wire.ts";
import { errorInCommand, type MaybePromise, runCommand } from "./run-command.ts";

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
  const context = new CommandContext({ root: rules.root, hasForwards: true }, command.metadata);
  const handler = rules.handlerOf(command.name);
  try {
    const run = handler && ((payload: never) => handler(payload, context));
    const done = await runCommand(rules.service, command, context, run);
    return "failure" in done ? failure(done.failure) : { ...clientAction(done.answer), sideEffects: done.effects };
  } catch (error) {
    return failure(errorInCommand(command, error));
  }
}

function failure(description: string): object {
  return { failure: { description } };
}
