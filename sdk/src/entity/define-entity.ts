/**
 * `defineEntity` makes a module of commands and events. A command looks at the state and emits events; an event's handler says
 * what the state is after it. The events are what is kept: they are in the journal with the command's reply, or neither is.
 *
 * A command comes as a call, a cast or an info, `{ "<name>": <args> }` or `"<name>"`, and so can a timer's message.
 */

import type { Retention } from "../journaled.ts";
import type { Reply } from "../returns.ts";
import { type Definition, defineServer, type ServerModule } from "../server-module.ts";
import { checkEntity } from "./check-entity.ts";
import { type GivenCommand, takeByState, takeNamed } from "./commands.ts";
import type { Behavior, EntityState, EventHandlers, GivenCommands, Upcast } from "./entity-types.ts";
import { Folding } from "./folding.ts";

/** What an entity may say of itself beside its commands and events: as for any module. */
type Settings = Pick<
  Definition<unknown, unknown, unknown, never, unknown, unknown>,
  "name" | "version" | "turnTimeoutMs" | "idleAfterMs" | "onDemand" | "keepState" | "retry" | "intensity" | "mailbox"
>;

export interface EntityDefinition<State, Events, Args, Replies> extends Settings {
  /** The state before the first event: made anew for each recovery, from nothing but the process's key. */
  initial: (key: string) => State;
  /** By name, each says what the state is after such an event. It may change the state it is given, or return another. */
  events?: EventHandlers<Events, NoInfer<State>>;
  /** By name. What a command returns is its reply. */
  commands?: GivenCommands<Args, Replies, NoInfer<State>, NoInfer<Events>>;
  /** Instead of both: asked for the handlers that count in a state, before each command and each event. */
  behavior?: (state: NoInfer<State>) => Behavior<NoInfer<State>>;
  /** After so many events a snapshot is taken; 100 unless given. */
  snapshotEvery?: number;
  /** How much of the journal is kept at least, once a snapshot is behind it; all of it unless given. */
  retention?: Retention;
  /** By version: what an event of that version is in the next one. */
  upcast?: Readonly<Record<number, Upcast>>;
  /** Makes this version's state of a snapshot of another version; without it such a snapshot is left, and all events count. */
  codeChange?: (fromVersion: number, state: unknown) => NoInfer<State>;
}

/** A module as its client sees it: commands are calls, casts and infos. */
export type EntityModule<State, Args, Replies> = ServerModule<
  EntityState<State>,
  null,
  unknown,
  never,
  unknown,
  unknown,
  Args,
  { [Name in keyof Replies]: Reply<Replied<Replies[Name]>, EntityState<State>> },
  { [Name in keyof Replies]: Name extends keyof Args ? Args[Name] : unknown },
  { [Name in keyof Replies]: Name extends keyof Args ? Args[Name] : unknown }
>;

/** A command that returns nothing replies null. */
// biome-ignore lint/suspicious/noConfusingVoidType: it is what TypeScript infers for such a function.
type Replied<Returned> = Awaited<Returned> extends infer Value ? ([Value] extends [void] ? null : Value) : never;

const DEFAULT_SNAPSHOT_EVERY = 100;

/** Throws InvalidModuleError, which names the entity and the field. */
export function defineEntity<
  State,
  Events = Record<never, never>,
  Args = Record<never, never>,
  Replies = Record<never, never>,
>(definition: EntityDefinition<State, Events, Args, Replies>): EntityModule<State, Args, Replies> {
  checkEntity(definition);
  const { initial, events, commands, behavior, snapshotEvery, retention, upcast, codeChange, ...settings } =
    definition as EntityDefinition<unknown, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>>;
  const folding = new Folding({
    name: settings.name,
    version: settings.version,
    initial,
    eventsOf: (state) => (behavior ? behavior(state).events : (events as EventHandlers<unknown, unknown>)) ?? {},
    upcast: upcast ?? {},
    codeChange,
    snapshotEvery: snapshotEvery ?? DEFAULT_SNAPSHOT_EVERY,
  });
  const module = defineServer({
    onDemand: true,
    keepState: "always",
    ...settings,
    init: (args: unknown, ctx) => {
      if (args !== null && args !== undefined)
        throw new TypeError(`${settings.name} begins without arguments; send it a command`);
      return folding.begin(ctx.key);
    },
    ...(behavior
      ? takeByState(folding, (state) => behavior(state).commands ?? {})
      : takeNamed(folding, (commands ?? {}) as Record<string, GivenCommand>)),
    journal: {
      recover: (stored) => folding.recover(stored),
      view: ({ value }) => value,
      ...(retention && { retention }),
    },
  });
  return module as unknown as EntityModule<State, Args, Replies>;
}
