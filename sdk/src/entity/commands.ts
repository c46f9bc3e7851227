/** An entity's commands as the callbacks of a module: named handlers, or one that asks the state which commands there are. */

import type { Context, From } from "../contract.ts";
import type { Schema } from "../handlers.ts";
import { runCommand } from "./command.ts";
import type { CommandHandler, EntityState } from "./entity-types.ts";
import type { Folding } from "./folding.ts";

export type GivenCommand =
  | CommandHandler<unknown, unknown, unknown>
  | CommandHandler<unknown, unknown, unknown>["handle"];

/** Named commands are named handlers of each kind, so that their arguments are checked at the door. */
export function takeNamed(folding: Folding, commands: Record<string, GivenCommand>) {
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
export function takeByState(
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
