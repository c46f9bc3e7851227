/**
 * The state of an event-sourced entity while it is awake: the snapshot with the later events applied. The events of a command
 * are applied behind its handler.
 */

import type protobuf from "protobufjs";
import {
  CommandContext,
  type CommandScope,
  errorInCommand,
  methodOf,
  missingHandler,
  unknownCommand,
} from "./command-context.ts";
import type { DebugLog } from "./debug-log.ts";
import { type AnyValue, decodeAny, decodeAs, encodeAny, encodeAs, typeNameOf } from "./protocol/any.ts";
import { type ClientAction, clientAction } from "./protocol/client-action.ts";
import { StreamFailure } from "./protocol/entity-stream.ts";
import type { WireCommand, WireSideEffect } from "./protocol/wire.ts";

type MaybePromise<T> = T | Promise<T>;

export class EventSourcedContext extends CommandContext {
  readonly entityId: string;
  readonly #events: AnyValue[] = [];
  readonly #log: DebugLog;

  constructor(scope: CommandScope, entityId: string, command: WireCommand, log: DebugLog) {
    super(scope, command.metadata);
    this.entityId = entityId;
    this.#log = log;
  }

  /** The event is stored with the others of this command, and applied when the handler has returned. */
  emit(event: object): void {
    this.assertActive();
    const encoded = encodeAny(event);
    this.#log(`Emitting event '${encoded.type_url}'`);
    this.#events.push(encoded);
  }

  /** What was emitted, for whoever runs the handler. */
  static eventsOf(context: EventSourcedContext): readonly AnyValue[] {
    return context.#events;
  }
}

/** `never` lets an author name the type of the message that the handler is for. */
export type CommandHandler<State> = (
  command: never,
  state: State,
  context: EventSourcedContext,
) => MaybePromise<object | undefined>;

export type EventHandler<State, NewState = State> = (event: never, state: State) => MaybePromise<NewState>;

export interface Behavior<State, NewState = State> {
  /** By the name of the method. */
  readonly commandHandlers: Readonly<Record<string, CommandHandler<State>>>;
  /** By the full name of the event's type, or by its last part. */
  readonly eventHandlers: Readonly<Record<string, EventHandler<State, NewState>>>;
}

/** What the stream asks an entity's definition. */
export interface EventSourcedRules {
  readonly root: protobuf.Root;
  readonly service: protobuf.Service;
  readonly serviceName: string;
  readonly snapshotEvery: number;
  makeInitial(entityId: string): unknown;
  makeBehavior(state: never): Behavior<never, unknown>;
}

/** What a command has come to. */
export interface Executed {
  /** The reply, or what is forwarded. */
  readonly payload: AnyValue;
  readonly action: ClientAction;
  readonly effects: readonly WireSideEffect[];
  readonly events: readonly AnyValue[];
  readonly snapshot: AnyValue | undefined;
}

export class AwakeEntity {
  readonly entityId: string;
  readonly #rules: EventSourcedRules;
  #state: unknown;
  #sequence = 0;

  constructor(rules: EventSourcedRules, entityId: string) {
    this.#rules = rules;
    this.entityId = entityId;
    this.#state = rules.makeInitial(entityId);
  }

  restore(sequence: number, snapshot: AnyValue | null | undefined): void {
    this.#state = decodeAny(this.#rules.root, snapshot);
    this.#sequence = sequence;
  }

  async replay(sequence: number, payload: AnyValue | null | undefined): Promise<void> {
    if (sequence !== this.#sequence + 1) throw new Error(`it follows ${this.#sequence}`);
    await this.#apply(payload);
  }

  /** Rejects with StreamFailure where it is not known what the state is, or what the handler wanted. */
  async execute(command: WireCommand, hasForwards: boolean, log: DebugLog): Promise<Executed | { failure: string }> {
    const method = methodOf(this.#rules.service, command.name);
    if (!method?.resolvedRequestType || !method.resolvedResponseType) return { failure: unknownCommand(command) };
    try {
      const { commandHandlers } = this.#rules.makeBehavior(this.#state as never);
      const handler = Object.hasOwn(commandHandlers, command.name) ? commandHandlers[command.name] : undefined;
      if (!handler) return { failure: missingHandler(command) };
      const scope = { root: this.#rules.root, hasForwards };
      const context = new EventSourcedContext(scope, this.entityId, command, log);
      const payload = decodeAs(method.resolvedRequestType, command.payload);
      const outcome = await context.run(() => handler(payload as never, this.#state as never, context));
      if (outcome.failure !== undefined) return { failure: outcome.failure };
      const reply = outcome.forward?.payload ?? encodeAs(method.resolvedResponseType, outcome.reply);
      const events = EventSourcedContext.eventsOf(context);
      const snapshot = await this.#add(events, log);
      const action = clientAction(outcome.forward ?? reply);
      return { payload: reply, action, effects: outcome.effects, events, snapshot };
    } catch (error) {
      throw new StreamFailure(errorInCommand(command, error), command.id);
    }
  }

  /** Applies new events, and returns a snapshot where one is due. */
  async #add(events: readonly AnyValue[], log: DebugLog): Promise<AnyValue | undefined> {
    const { snapshotEvery } = this.#rules;
    const before = this.#sequence;
    for (const event of events) await this.#apply(event);
    if (Math.floor(this.#sequence / snapshotEvery) === Math.floor(before / snapshotEvery)) return undefined;
    const snapshot = encodeAny(this.#state);
    log(`Snapshotting current state with type '${snapshot.type_url}'`);
    return snapshot;
  }

  async #apply(payload: AnyValue | null | undefined): Promise<void> {
    const event = decodeAny(this.#rules.root, payload);
    const fullName = typeNameOf(payload as AnyValue);
    const shortName = fullName.slice(fullName.lastIndexOf(".") + 1);
    const { eventHandlers } = this.#rules.makeBehavior(this.#state as never);
    const name = [fullName, shortName].find((each) => Object.hasOwn(eventHandlers, each));
    const handler = name === undefined ? undefined : eventHandlers[name];
    if (!handler) throw new Error(`No handler registered for event '${fullName}'`);
    this.#state = await handler(event as never, this.#state as never);
    this.#sequence++;
  }
}
