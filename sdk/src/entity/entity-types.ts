/** What the author of an entity writes, in types. */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Context, MaybePromise } from "../contract.ts";
import type { Schema } from "../handlers.ts";

/** What an entity's callbacks are given: the state, and how many events it is made of. */
export interface EntityState<State> {
  readonly sequence: number;
  readonly value: State;
}

/** By name, what the state is after such an event. */
export type EventHandlers<Events, State> = {
  readonly [Name in keyof Events]: (data: Events[Name], state: State) => State;
};

/** What a command holds of its turn, beside what any callback does. */
export interface EntityContext<State = unknown, Events = Record<string, unknown>> extends Context {
  /**
   * Adds an event to those that the command leaves behind, with any JSON value, and returns the state after it. It is in the
   * journal once the command is committed, and never if the command fails.
   */
  emit<Name extends keyof Events & string>(name: Name, data: Events[Name]): State;
  /** Refuses the command: it fails with this message, also where what this throws is caught. None of its events is kept. */
  fail(message: string): never;
}

type Checked<Args> = Args extends Schema ? StandardSchemaV1.InferOutput<Args> : unknown;

export interface CommandHandler<Args, Returned, State, Events = Record<string, unknown>> {
  readonly args?: (Args & Schema) | undefined;
  /** What the reply looks like, for the OpenAPI document. It is not checked. */
  readonly reply?: Schema;
  handle(args: Checked<Args>, state: State, ctx: EntityContext<State, Events>): MaybePromise<Returned>;
}

type CommandFunction<Returned, State, Events> = CommandHandler<unknown, Returned, State, Events>["handle"];

/** What an author writes; see GivenCalls for why it is two mapped types. */
export type GivenCommands<Args, Replies, State, Events> = {
  readonly [Name in keyof Args]: { readonly args?: Args[Name] & Schema } | object;
} & {
  readonly [Name in keyof Replies]:
    | CommandHandler<Name extends keyof Args ? NoInfer<Args>[Name] : unknown, Replies[Name], State, Events>
    | CommandFunction<Replies[Name], State, Events>;
};

/** The handlers that count in a state. */
export interface Behavior<State> {
  readonly commands?: Readonly<Record<string, CommandHandler<unknown, unknown, State>["handle"]>>;
  readonly events?: Readonly<Record<string, (data: never, state: State) => State>>;
}

/** An event as an earlier version wrote it, or as a later one reads it. */
export interface VersionedEvent {
  readonly type: string;
  readonly data: unknown;
}

/** What an event is in the next version: one event, several, or none. */
export type Upcast = (event: VersionedEvent) => VersionedEvent | readonly VersionedEvent[];
