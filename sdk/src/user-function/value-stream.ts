/** A value entity that is awake, on its stream: its state is one value, which commands replace or delete. */

import type protobuf from "protobufjs";
import {
  CommandContext,
  type CommandScope,
  errorInCommand,
  methodOf,
  missingHandler,
  unknownCommand,
} from "./command-context.ts";
import { type AnyValue, decodeAny, decodeAs, encodeAny, encodeAs } from "./protocol/any.ts";
import { clientAction, failedReply } from "./protocol/client-action.ts";
import { type EntityCall, StreamFailure, serveEntityStream } from "./protocol/entity-stream.ts";
import type { WireCommand } from "./protocol/wire.ts";

type MaybePromise<T> = T | Promise<T>;

type StateAction =
  | { readonly update: { readonly value: AnyValue }; readonly state: unknown }
  | { readonly delete: object };

export class ValueContext extends CommandContext {
  readonly entityId: string;
  #action: StateAction | undefined;

  constructor(scope: CommandScope, entityId: string, command: WireCommand) {
    super(scope, command.metadata);
    this.entityId = entityId;
  }

  updateState(state: object): void {
    this.assertActive();
    this.#action = { update: { value: encodeAny(state) }, state };
  }

  deleteState(): void {
    this.assertActive();
    this.#action = { delete: {} };
  }

  /** What is to become of the state, for whoever runs the handler. */
  static actionOf(context: ValueContext): StateAction | undefined {
    return context.#action;
  }
}

/** `never` lets an author name the type of the message that the handler is for. */
export type ValueHandler<State> = (
  command: never,
  state: State,
  context: ValueContext,
) => MaybePromise<object | undefined>;

/** What the stream asks an entity's definition. */
export interface ValueRules {
  readonly root: protobuf.Root;
  readonly service: protobuf.Service;
  makeInitial(entityId: string): unknown;
  handlerOf(commandName: string): ValueHandler<never> | undefined;
}

export interface ValueIn {
  readonly message?: "init" | "command";
  readonly init?: {
    readonly serviceName: string;
    readonly entityId: string;
    readonly state?: { readonly value?: AnyValue | null } | null;
  };
  readonly command?: WireCommand;
}

export async function serveValueEntity(
  call: EntityCall<ValueIn>,
  findRules: (serviceName: string) => ValueRules | undefined,
): Promise<void> {
  let entity: AwakeValue | undefined;
  await serveEntityStream(call, async ({ init, command }) => {
    if (init) {
      if (entity) throw new StreamFailure("Init message received twice.");
      entity = wake(init, findRules(init.serviceName));
    } else if (command) {
      if (!entity) throw new StreamFailure("A command came before an init", command.id);
      call.write(await entity.execute(command));
    } else throw new StreamFailure("A message came that is empty, or unknown");
  });
}

function wake(
  { serviceName, entityId, state }: NonNullable<ValueIn["init"]>,
  rules: ValueRules | undefined,
): AwakeValue {
  if (!rules) throw new StreamFailure(`There is no value entity with the service '${serviceName}'`);
  try {
    return new AwakeValue(rules, entityId, state?.value ? decodeAny(rules.root, state.value) : undefined);
  } catch (error) {
    throw new StreamFailure(`Error handling the state: ${error}`);
  }
}

class AwakeValue {
  readonly #rules: ValueRules;
  readonly #entityId: string;
  #state: unknown;

  constructor(rules: ValueRules, entityId: string, stored: unknown) {
    this.#rules = rules;
    this.#entityId = entityId;
    this.#state = stored ?? rules.makeInitial(entityId);
  }

  async execute(command: WireCommand): Promise<{ reply: object }> {
    const method = methodOf(this.#rules.service, command.name);
    if (!method?.resolvedRequestType || !method.resolvedResponseType) {
      return failedReply(command.id, unknownCommand(command));
    }
    const handler = this.#rules.handlerOf(command.name);
    if (!handler) return failedReply(command.id, missingHandler(command));
    try {
      const context = new ValueContext({ root: this.#rules.root, hasForwards: true }, this.#entityId, command);
      const payload = decodeAs(method.resolvedRequestType, command.payload);
      const outcome = await context.run(() => handler(payload as never, this.#state as never, context));
      if (outcome.failure !== undefined) return failedReply(command.id, outcome.failure);
      const answer = outcome.forward ?? encodeAs(method.resolvedResponseType, outcome.reply);
      const stateAction = this.#change(ValueContext.actionOf(context));
      const reply = { commandId: command.id, clientAction: clientAction(answer), sideEffects: outcome.effects };
      return { reply: stateAction ? { ...reply, stateAction } : reply };
    } catch (error) {
      throw new StreamFailure(errorInCommand(command, error), command.id);
    }
  }

  #change(action: StateAction | undefined): StateAction | undefined {
    if (action) this.#state = "update" in action ? action.state : this.#rules.makeInitial(this.#entityId);
    return action;
  }
}
