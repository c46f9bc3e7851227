/**
 * A process in this worker's memory: its lease, its ties, its state as an object for the next callback and as the text that
 * the last turn left. The text is the truth; the object is a cache of it, thrown away whenever a turn did not commit.
 *
 * With a write policy other than every-turn the text may be ahead of what is stored; `isDirty` says so, and whoever gives
 * the process up has it stored first.
 */

import type { Claimed, Fetched, Lease } from "@genserverless/shared/cluster/leases.ts";
import { Ties } from "genserverless/runtime/ties.ts";
import { readState } from "genserverless/runtime/turn.ts";
import type { ServerModule } from "genserverless/server-module.ts";

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
  #crashes: number[] = [];

  /** `stored` is the state behind the record's text, or why there is none. */
  constructor(module: ServerModule, lease: Lease, claimed: Claimed, stored: Stored) {
    const { stateText, refusal } = stored;
    this.module = module;
    this.lease = lease;
    this.incarnation = claimed.incarnation;
    this.ties = new Ties(claimed.ties);
    this.stateText = stateText;
    this.storedText = stateText;
    this.recordText = claimed.stateText;
    this.refusal = refusal;
    this.isPrepared = stateText === undefined && refusal === undefined;
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
    return this.stateText !== this.storedText;
  }

  /** Takes the object that a turn returned, with its text. */
  accept(state: unknown, stateText: string): void {
    this.state = state;
    this.stateText = stateText;
    this.#turnsSinceStored += 1;
  }

  /** Forgets what a failed turn may have done to the object, and to the ties. */
  restore(): void {
    this.ties.undo();
    if (this.stateText !== undefined) this.state = readState(this.module, this.stateText);
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

  /** Counts a crash; says whether there were more within the time than the module's intensity allows. */
  noteCrash(now = performance.now()): boolean {
    const { crashes, withinMs } = this.module.intensity;
    this.#crashes.push(now);
    while ((this.#crashes[0] ?? now) < now - withinMs) this.#crashes.shift();
    return this.#crashes.length > crashes;
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
