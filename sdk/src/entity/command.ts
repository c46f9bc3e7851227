/** One command: its handler emits events, each of which is applied to the state at once, or refuses. */

import type { Context } from "../contract.ts";
import { CommandFailed, type EmittedEvent, type Journaled, withJournal } from "../journaled.ts";
import { isReturn, noreply, type Return, reply } from "../returns.ts";
import { MOST_EVENTS, MOST_STATE_BYTES } from "../runtime/limits.ts";
import { isThenable } from "../runtime/turn.ts";
import { TooManyEventsError, TurnEndedError } from "../runtime/turn-errors.ts";
import type { CommandHandler, EntityContext, EntityState } from "./entity-types.ts";
import type { Folding } from "./folding.ts";

type Handle = CommandHandler<unknown, unknown, unknown>["handle"];

/** What the turn of a command returns. Throws, or rejects with, CommandFailed, or what the handler has thrown. */
export function runCommand(
  folding: Folding,
  find: (state: unknown) => Handle | undefined,
  args: unknown,
  state: EntityState<unknown>,
  ctx: Context,
  isCall: boolean,
  name = "",
): Return | Promise<Return> {
  const handle = find(state.value);
  if (!handle) throw new CommandFailed(`${folding.name} has no command ${name} in this state`);
  const command = new Command(folding, state);
  let returned: unknown;
  try {
    returned = handle(args, state.value, command.extend(ctx));
  } catch (error) {
    throw command.fail(error);
  }
  if (!isThenable(returned)) return command.end(returned, isCall);
  return Promise.resolve(returned).then(
    (value) => command.end(value, isCall),
    (error) => {
      throw command.fail(error);
    },
  );
}

class Command {
  readonly #folding: Folding;
  readonly #before: EntityState<unknown>;
  readonly #events: EmittedEvent[] = [];
  #value: unknown;
  #characters = 0;
  /** An event's handler has begun to run, and may have changed the object itself. */
  #isTouched = false;
  #refusal: string | undefined;
  /** An event that could not be applied: the command comes to nothing, also where it has caught this. */
  #fault: { error: unknown } | undefined;
  #isOver = false;

  constructor(folding: Folding, state: EntityState<unknown>) {
    this.#folding = folding;
    this.#before = state;
    this.#value = state.value;
  }

  extend(ctx: Context): EntityContext {
    const verbs = {
      emit: (type: string, data: unknown) => this.#emit(type, data),
      fail: (message: string) => this.#refuse(message),
    };
    return Object.assign(ctx, verbs) as unknown as EntityContext;
  }

  end(returned: unknown, isCall: boolean): Return {
    this.#isOver = true;
    if (this.#refusal !== undefined) throw this.#toFailure(this.#refusal);
    if (this.#fault) throw this.#fault.error;
    if (isReturn(returned)) {
      throw this.fail(new TypeError("a command returns its reply, and its state is what the events make of it"));
    }
    const next = this.#next();
    const answer = isCall ? reply(returned ?? null, next) : noreply(next);
    return this.#events.length === 0 ? answer : withJournal(answer, this.#journaled(next));
  }

  /** What a handler that has thrown comes to. */
  fail(error: unknown): unknown {
    this.#isOver = true;
    return this.#refusal === undefined ? error : this.#toFailure(this.#refusal);
  }

  #emit(type: string, data: unknown): unknown {
    if (this.#isOver) throw new TurnEndedError("its command has ended: ctx.emit comes too late");
    const dataText = JSON.stringify(data ?? null);
    // Of its text, as it will be when the entity is made of its journal: what the command does to the object later is not in it.
    const stored: unknown = JSON.parse(dataText);
    this.#isTouched = true;
    try {
      this.#count({ type, dataText });
      this.#value = this.#folding.apply(type, stored, this.#value);
    } catch (error) {
      this.#fault ??= { error };
      throw error;
    }
    return this.#value;
  }

  /** What is too much is not gathered until the command ends. */
  #count(event: EmittedEvent): void {
    this.#characters += event.type.length + event.dataText.length;
    if (this.#events.push(event) > MOST_EVENTS || this.#characters > MOST_STATE_BYTES) throw new TooManyEventsError();
  }

  #refuse(message: string): never {
    if (this.#isOver) throw new TurnEndedError("its command has ended: ctx.fail comes too late");
    this.#refusal ??= String(message);
    throw this.#toFailure(this.#refusal);
  }

  #toFailure(message: string): CommandFailed {
    return new CommandFailed(message, { isSpoiled: this.#isTouched });
  }

  #next(): EntityState<unknown> {
    if (this.#events.length === 0) return this.#before;
    return { sequence: this.#before.sequence + this.#events.length, value: this.#value };
  }

  #journaled({ sequence, value }: EntityState<unknown>): Journaled {
    const isDue = this.#folding.isSnapshotDue(this.#before.sequence, sequence);
    return { events: this.#events, ...(isDue && { snapshot: { state: value } }) };
  }
}
