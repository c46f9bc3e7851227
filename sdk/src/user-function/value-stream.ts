/** A value entity that is awake, on its stream: its state is one value, which commands replace or delete. */

import type protobuf from "protobufjs";
import { CommandContext, type CommandScope } from "./command-context.ts";
import { describeError } from "./describe-error.ts";
import { type AnyValue, decodeAny, encodeAny } from "./protocol/any.ts";
import { clientAction, failedReply } from "./protocol/client-action.ts";
import { type EntityCall, StreamFailure, type StreamOut, serveEntityStream } from "./protocol/entity-stream.ts";
import type { WireCommand } from "./protocol/wire.ts";
import { errorInCommand, type MaybePromise, runCommand } from "./run-command.ts";

type StateAction = { readonly update: { readonly value: AnyValue } } | { readonly delete: object };

export class ValueContext extends CommandContext {
  readonly entityId: string;
  #action: StateAction | undefined;

  constructor(scope: CommandScope, entityId: string, command: WireCommand) {
    super(scope, command.metadata);
    this.entityId = entityId;
  }

  updateState(state: object): void {
    this.assertActive();
    this.#action = { update: { value: encodeAny(state) } };
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
    if (command) {
      if (!entity) throw new StreamFailure("A command came before an init", command.id);
      return entity.execute(command);
    }
    if (!init) throw new StreamFailure("A message came that is empty, or unknown");
    if (entity) throw new StreamFailure("Init message received twice.");
    entity = wake(init, findRules(init.serviceName));
    return undefined;
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
    throw new StreamFailure(`Error handling the state: ${describeError(error)}`);
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

  async execute(command: WireCommand): Promise<StreamOut> {
    const context = new ValueContext({ root: this.#rules.root, hasForwards: true }, this.#entityId, command);
    const handler = this.#rules.handlerOf(command.name);
    try {
      const run = handler && ((payload: never) => handler(payload, this.#state as never, context));
      const done = await runCommand(this.#rules.service, command, context, run);
      if ("failure" in done) return failedReply(command.id, done.failure);
      const stateAction = this.#change(ValueContext.actionOf(context));
      const reply = { commandId: command.id, clientAction: clientAction(done.answer), sideEffects: done.effects };
      return { reply: stateAction ? { ...reply, stateAction } : reply };
    } catch (error) {
      throw new StreamFailure(errorInCommand(command, error), command.id);
    }
  }

  /** The new state is what will be read from the store, also where the handler goes on changing the object it gave. */
  #change(action: StateAction | undefined): StateAction | undefined {
    if (!action) return undefined;
    const rules = this.#rules;
    const isUpdate = "update" in action;
    this.#state = isUpdate ? decodeAny(rules.root, action.update.value) : rules.makeInitial(this.#entityId);
    return action;
  }
}
