/**
 * Journaled modules: what they keep is not a state but the events of which it is made, in a journal, and now and then a
 * snapshot of what these have come to. `defineEntity` makes such a module of commands and events; a runtime for functions
 * that live elsewhere makes one by hand. Worker, test kit and api see only this.
 */

import type { MaybePromise } from "./contract.ts";
import type { Return } from "./returns.ts";

/** An event that a turn emits. */
export interface EmittedEvent {
  readonly type: string;
  /** JSON text. */
  readonly dataText: string;
}

/** An event as the journal has it. */
export interface JournalEntry extends EmittedEvent {
  /** From 1, without a gap. */
  readonly sequence: number;
  /** The version of the module that emitted it. */
  readonly version: number;
  /** When it was committed, in ms since the epoch: the cluster's time. */
  readonly at: number;
  /** The message whose turn emitted it. */
  readonly messageId: string;
}

/** What the events up to `sequence` had come to. */
export interface Snapshot {
  readonly sequence: number;
  /** The version of the module that took it. */
  readonly version: number;
  /** JSON text. */
  readonly stateText: string;
}

/** What is stored of a process. */
export interface StoredJournal {
  readonly pid: string;
  readonly key: string;
  readonly snapshot: Snapshot | undefined;
  /** The events after the snapshot, in order, page by page. Rejects with JournalError where one is torn, missing or unknown. */
  readonly pages: AsyncIterable<readonly JournalEntry[]>;
  /** All events from the first, likewise, for who cannot use the snapshot. */
  whole(): AsyncIterable<readonly JournalEntry[]>;
}

/** How a module makes its state of what is stored. `State` is what its callbacks are given, and never stored itself. */
export interface JournalRules<State = unknown> {
  /** Rejects where it cannot be made: the process is quarantined with that reason. Under the deadline of a turn, 30 s at least. */
  recover(stored: StoredJournal): MaybePromise<State>;
  /** The state has left the worker's memory: idle, taken over, spoiled by a turn that failed, or the worker leaves. */
  release?(state: State): void;
  /** What is shown of a state, any JSON value. */
  view?(state: State): unknown;
  /** How much of the journal is kept at least; everything unless given. */
  readonly retention?: Retention | undefined;
}

/** Events that are older than both, and behind a snapshot, go. */
export interface Retention {
  readonly events?: number;
  readonly ms?: number;
}

/** What a turn adds to the journal, with its commit. */
export interface Journaled {
  readonly events: readonly EmittedEvent[];
  /** The state after these events, any JSON value, wrapped so that null is one too. */
  readonly snapshot?: { readonly state: unknown } | undefined;
}

const JOURNALED: unique symbol = Symbol.for("genserverless.journaled") as never;
const COMMAND_FAILED: unique symbol = Symbol.for("genserverless.command-failed") as never;

/** The same return, with what the turn adds to the journal. Only for journaled modules. */
export function withJournal<R extends Return>(returned: R, journaled: Journaled): R {
  return Object.freeze({ ...returned, [JOURNALED]: journaled });
}

export function journaledOf(returned: Return): Journaled | undefined {
  return (returned as { [JOURNALED]?: Journaled })[JOURNALED];
}

/** Thrown by `recover`, and by the journal itself: its stored events cannot be used. */
export class JournalError extends Error {
  override name = "JournalError";
}

/**
 * A command that is refused: an answer, and no crash. The turn comes to nothing, the caller gets `command_failed` with this
 * message. Thrown before anything has touched the state it leaves the state in memory; `isSpoiled` has it made anew.
 */
export class CommandFailed extends Error {
  override name = "CommandFailed";
  readonly [COMMAND_FAILED] = true;
  readonly isSpoiled: boolean;

  constructor(message: string, { isSpoiled = false } = {}) {
    super(message);
    this.isSpoiled = isSpoiled;
  }
}

/** Also of one that was made by another copy of this package. */
export function isCommandFailed(error: unknown): error is CommandFailed {
  return error instanceof Error && COMMAND_FAILED in error;
}
