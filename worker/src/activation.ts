/**
 * A process in this worker's memory: its lease, its ties, its state as an object for the next callback and as the text that
 * the last turn left. The text is the truth; the object is a cache of it, thrown away whenever a turn did not commit.
 *
 * With a write policy other than every-turn the text may be ahead of what is stored; `isDirty` says so, and whoever gives
 * the process up has it stored first.
 *
 * Of a journaled module the events are the truth, and the object is all there is of the state: a turn that fails and may have
 * changed it spoils the activation, which is given up, and the process claimed anew. `stateText` only says that it has begun.
 */

import { hasJournal, NO_SNAPSHOT, type StoredJournal, writeSnapshot } from "@genserverless/shared/cluster/journal.ts";
import type { Claimed, Fetched, Lease } from "@genserverless/shared/cluster/leases.ts";
import { Ties } from "genserverless/runtime/ties.ts";
import { readState, type TurnFailure, type TurnJournal } from "genserverless/runtime/turn.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import { Crashes } from "./crashes.ts";

export const LEAST_WIDTH = 4;
export const MOST_WIDTH = 32;

export interface Stored {
  /** JSON text; undefined before init. */
  stateText?: string | undefined;
  refusal?: string;
}

export class Activation {
  readonly module: ServerModule;
  readonly lease: Lease;
  readonly incarnation: string;
  readonly ties: Ties;
  readonly idleAfterMs: number;
  /** The state after the last turn, JSON text; undefined before init. */
  stateText: string | undefined;
  /** What Redis, or the state store, has of it. */
  storedText: string | undefined;
  /** What the record holds: the stored text, or a reference to a state store. */
  recordText: string | undefined;
  state: unknown;
  isStarting: boolean;
  /** What a claim found of the journal, until the state is made of it. */
  readonly journal: StoredJournal | undefined;
  /** The last event, whether committed or about to be. */
  sequence: number;
  /** A failed turn may have left anything in the state. */
  isSpoiled = false;
  #isReleased = false;
  /** Why the stored state cannot be used, where that is known already. */
  readonly refusal: string | undefined;
  /** Whether the stored state has still to be made one of this version of the module. */
  isPrepared: boolean;
  readonly fromVersion: number;
  /** The term that handleContinue is owed, JSON text, or "". */
  continueText: string;
  /** How many nodes have died with the continuation in hand. */
  readonly continueDeaths: number;
  /** As committed. */
  turns: number;
  /** How many messages the next fetch asks for: it grows while the mailbox stays full. */
  width = LEAST_WIDTH;
  lastUsedAt = 0;
  #options: { idleAfterMs?: number | "infinity"; tags?: readonly string[] };
  #turnsSinceStored = 0;
  #storedAt = performance.now();
  readonly crashes: Crashes;

  /** `stored` is the state behind the record's text, or why there is none; `crashes` those of a state that was spoilt. */
  constructor(module: ServerModule, lease: Lease, claimed: Claimed, stored: Stored, crashes?: Crashes) {
    const { stateText, refusal } = stored;
    this.crashes = crashes ?? new Crashes(module.intensity);
    this.module = module;
    this.lease = lease;
    this.incarnation = claimed.incarnation;
    this.ties = new Ties(claimed.ties);
    this.stateText = stateText;
    this.storedText = stateText;
    this.recordText = claimed.stateText;
    this.journal = claimed.journal;
    this.sequence = claimed.journal?.last ?? 0;
    this.refusal = refusal ?? findMismatch(module, claimed.stateText);
    this.isPrepared = stateText === undefined && this.refusal === undefined;
    this.fromVersion = claimed.version ?? module.version;
    this.isStarting = claimed.status === "starting";
    this.continueText = claimed.continueText;
    this.continueDeaths = claimed.continueDeaths;
    this.turns = claimed.turns;
    this.#options = claimed.optionsText ? (JSON.parse(claimed.optionsText) as { idleAfterMs?: number }) : {};
    const { idleAfterMs = module.idleAfterMs } = this.#options;
    this.idleAfterMs = idleAfterMs === "infinity" ? Infinity : idleAfterMs;
  }

  get isDirty(): boolean {
    return !this.module.journal && this.stateText !== this.storedText;
  }

  /** Takes the object that a turn returned, with its text. */
  accept(state: unknown, stateText: string): void {
    this.state = state;
    this.stateText = stateText;
    this.#turnsSinceStored += 1;
  }

  /** Takes the state that a turn of a journaled module returned. Returns what the record is to have, if anything new. */
  adopt(state: unknown, { events, snapshotText }: TurnJournal): string | undefined {
    this.hold(state);
    this.sequence += events.length;
    const isFirst = this.stateText === undefined;
    this.stateText ??= NO_SNAPSHOT;
    if (snapshotText === undefined) return isFirst ? NO_SNAPSHOT : undefined;
    return writeSnapshot({ sequence: this.sequence, version: this.module.version, stateText: snapshotText });
  }

  /** Keeps a state in memory, unless this is out of it already. */
  hold(state: unknown): void {
    if (this.#isReleased && state !== this.state) this.module.journal?.release?.(state);
    this.state = state;
  }

  /** It leaves the worker's memory. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    if (this.state !== undefined) this.module.journal?.release?.(this.state);
  }

  /** Forgets what a failed turn may have done to the object, and to the ties. */
  restore(failure?: Pick<TurnFailure, "sparesState">): void {
    this.ties.undo();
    if (this.module.journal) this.isSpoiled ||= !failure?.sparesState;
    else if (this.stateText !== undefined) this.state = readState(this.module, this.stateText);
  }

  /** Whether the module's write policy wants the state stored with the next commit. */
  mustStore(): boolean {
    if (!this.isDirty) return false;
    const { writePolicy } = this.module;
    if (writePolicy === "every-turn" || this.storedText === undefined) return true;
    if (writePolicy === "on-passivate") return false;
    const { turns = Infinity, ms = Infinity } = writePolicy.every;
    return this.#turnsSinceStored >= turns || performance.now() - this.#storedAt >= ms;
  }

  /** A commit has stored this text, as `recordText`. */
  noteStored(text: string | undefined, recordText: string): void {
    this.storedText = text;
    this.recordText = recordText;
    this.#turnsSinceStored = 0;
    this.#storedAt = performance.now();
  }

  /** The options with other tags, JSON text. */
  withTags = (tags: readonly string[]): string => {
    this.#options = { ...this.#options, tags };
    return JSON.stringify(this.#options);
  };

  adaptWidth(fetched: readonly Fetched[]): void {
    if (fetched.length >= this.width) this.width = Math.min(this.width * 2, MOST_WIDTH);
    else this.width = Math.max(LEAST_WIDTH, fetched.length);
  }
}

/** Why a module cannot use what another kind of module has left. */
function findMismatch(module: ServerModule, recordText: string | undefined): string | undefined {
  if (recordText === undefined || hasJournal(recordText) === (module.journal !== undefined)) return undefined;
  return module.journal
    ? `the state was left by a ${module.name} that kept no journal`
    : `the state was left by a ${module.name} that kept a journal`;
}
