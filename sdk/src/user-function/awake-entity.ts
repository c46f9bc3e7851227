/**
 * The state of an event-sourced entity while it is awake: the snapshot with the later events applied. The events of a command
 * are applied behind its handler.
 */

import type protobuf from "protobufjs";
import { CommandContext, type CommandScope } from "./command-context.ts";
import type { DebugLog } from "./debug-log.ts";
import { type AnyValue, assertHasForm, decodeAny, encodeAny, typeNameOf } from "./protocol/any.ts";
import { StreamFailure } from "./protocol/entity-stream.ts";
import type { WireCommand, WireForward, WireSideEffect } from "./protocol/wire.ts";
import { errorInCommand, type MaybePromise, runCommand } from "./run-command.ts";

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
  readonly answer: AnyValue | WireForward;
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
    try {
      const { commandHandlers } = this.#rules.makeBehavior(this.#state as never);
      const handler = Object.hasOwn(commandHandlers, command.name) ? commandHandlers[command.name] : undefined;
      const scope = { root: this.#rules.root, hasForwards };
      const context = new EventSourcedContext(scope, this.entityId, command, log);
      const run = handler && ((payload: never) => handler(payload, this.#state as never, context));
      const done = await runCommand(this.#rules.service, command, context, run);
      if ("failure" in done) return done;
      const events = EventSourcedContext.eventsOf(context);
      return { ...done, events, snapshot: await this.#add(events, log) };
    } catch (error) {
      throw new StreamFailure(errorInCommand(command, error), command.id);
    }
  }

  /** Applies new events, and returns a snapshot where one is due. What could not be one is refused at once. */
  async #add(events: readonly AnyValue[], log: DebugLog): Promise<AnyValue | undefined> {
    const { snapshotEvery } = this.#rules;
    const before = this.#sequence;
    for (const event of events) await this.#apply(event);
    if (events.length > 0) assertHasForm(this.#state);
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
