/**
 * `defineEntity` makes a module of commands and events. A command looks at the state and emits events; an event's handler says
 * what the state is after it. The events are what is kept: they are in the journal with the command's reply, or neither is.
 *
 * A command comes as a call, a cast or an info, `{ "<name>": <args> }` or `"<name>"`, and so can a timer's message.
 */

import { InvalidModuleError, isRetention, isWholeFrom1 } from "../check-definition.ts";
import type { Context, From } from "../contract.ts";
import type { Schema } from "../handlers.ts";
import type { Retention } from "../journaled.ts";
import type { Reply } from "../returns.ts";
import { type Definition, defineServer, type ServerModule } from "../server-module.ts";
import { runCommand } from "./command.ts";
import type { Behavior, CommandHandler, EntityState, EventHandlers, GivenCommands, Upcast } from "./entity-types.ts";
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
      ? behave(folding, (state) => behavior(state).commands ?? {})
      : take(folding, (commands ?? {}) as Record<string, GivenCommand>)),
    journal: {
      recover: (stored) => folding.recover(stored),
      view: ({ value }) => value,
      ...(retention && { retention }),
    },
  });
  return module as unknown as EntityModule<State, Args, Replies>;
}

type GivenCommand = CommandHandler<unknown, unknown, unknown> | CommandHandler<unknown, unknown, unknown>["handle"];

/** Named commands are named handlers of each kind, so that their arguments are checked at the door. */
function take(folding: Folding, commands: Record<string, GivenCommand>) {
  const calls: Record<string, object> = {};
  const others: Record<string, object> = {};
  for (const [name, given] of Object.entries(commands)) {
    const { handle, args, reply } =
      typeof given === "function" ? { handle: given, args: undefined, reply: undefined } : given;
    const checked = args && { args: args as Schema };
    const run = (asked: unknown, state: EntityState<unknown>, ctx: Context, isCall: boolean) =>
      runCommand(folding, () => handle, asked, state, ctx, isCall);
    calls[name] = {
      ...checked,
      ...(reply && { reply }),
      handle: (asked: unknown, _from: From, state: EntityState<unknown>, ctx: Context) => run(asked, state, ctx, true),
    };
    others[name] = {
      ...checked,
      handle: (asked: unknown, state: EntityState<unknown>, ctx: Context) => run(asked, state, ctx, false),
    };
  }
  return { calls, casts: others, infos: others } as object;
}

/** Where the state decides what is a command, its name is looked for when its turn has come. */
function behave(
  folding: Folding,
  commandsOf: (state: unknown) => Record<string, CommandHandler<unknown, unknown, unknown>["handle"]>,
) {
  const run = (message: unknown, state: EntityState<unknown>, ctx: Context, isCall: boolean) => {
    const { name, args } = readCommand(message);
    const find = (value: unknown) => {
      const commands = commandsOf(value);
      return Object.hasOwn(commands, name) ? commands[name] : undefined;
    };
    return runCommand(folding, find, args, state, ctx, isCall, name);
  };
  return {
    handleCall: (message: unknown, _from: From, state: EntityState<unknown>, ctx: Context) =>
      run(message, state, ctx, true),
    handleCast: (message: unknown, state: EntityState<unknown>, ctx: Context) => run(message, state, ctx, false),
    handleInfo: (message: unknown, state: EntityState<unknown>, ctx: Context) => run(message, state, ctx, false),
  } as object;
}

/** As named handlers are named. */
function readCommand(message: unknown): { name: string; args: unknown } {
  if (typeof message === "string") return { name: message, args: undefined };
  const [entry, ...more] = typeof message === "object" && message !== null ? Object.entries(message) : [];
  if (!entry || more.length > 0) return { name: JSON.stringify(message)?.slice(0, 80) ?? "undefined", args: undefined };
  return { name: entry[0], args: entry[1] };
}

const NOT_FOR_ENTITIES = [
  "store",
  "writePolicy",
  "dump",
  "load",
  "journal",
  "init",
  "handleCall",
  "handleCast",
  "handleInfo",
];

function checkEntity(definition: object): void {
  const fields: Record<string, unknown> = { ...definition };
  const fault = findFault(fields);
  if (fault) throw new InvalidModuleError(`entity ${String(fields["name"])}: ${fault}`);
}

function findFault(fields: Record<string, unknown>): string | undefined {
  const misplaced = NOT_FOR_ENTITIES.find((field) => fields[field] !== undefined);
  if (misplaced) return `${misplaced} is for defineServer`;
  for (const field of ["initial", "behavior", "codeChange"]) {
    const value = fields[field];
    if (typeof value !== "function" && (field === "initial" || value !== undefined))
      return `${field} must be a function`;
  }
  const { behavior, snapshotEvery, retention, upcast = {}, events, commands } = fields;
  if (behavior && (events || commands)) return "either behavior, or events and commands";
  if (!behavior && !commands) return "it has no commands, and no behavior";
  if (snapshotEvery !== undefined && !isWholeFrom1(snapshotEvery)) return "snapshotEvery must be a whole number from 1";
  if (retention !== undefined && !isRetention(retention))
    return "retention must be { events?, ms? }, whole numbers from 1";
  const notHandler = findNotFunction(events ?? {});
  if (notHandler !== undefined) return `events.${notHandler} must be a function (data, state) => state`;
  const notUpcast = findNotFunction(upcast);
  return notUpcast === undefined ? undefined : `upcast.${notUpcast} must be a function (event) => event`;
}

function findNotFunction(map: unknown): string | undefined {
  return Object.entries(map as object).find(([, value]) => typeof value !== "function")?.[0];
}
