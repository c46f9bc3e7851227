/**
 * What a state store is: a place outside Redis for states that are large or cold. A module names one (`store: "cold"`);
 * without it the state stands in the process's record and nothing of this room is used.
 *
 * The truth stays in Redis. A state is written here first, and then the commit puts a reference to it into the record, in
 * the script that also settles the messages. So a store need not know what a lease or a transaction is. It promises three
 * things only:
 *
 * 1. **What `write` has acknowledged, `read` returns, byte for byte**, until it is wiped.
 * 2. **Nothing that was written is ever overwritten.** Each write has an id of its own, which is part of its key and of
 *    the reference. A paused owner that goes on, a statement that arrives late, a turn that ran twice with different
 *    ends: each has written another state beside the committed one, and nobody refers to it. The epoch would not do: a
 *    turn whose write was not answered may run again under the same lease and come to another state, and then the first
 *    write may still be on its way.
 * 3. **A state is wiped only when its record says so**, asked at that moment and once more `keepMs` later (sweep.ts): a
 *    Redis that crashes may come back with a record that is some seconds old and refers to an older state.
 */

import type { Pid } from "../process/pid.ts";
import type { Part } from "../service/lifecycle.ts";

/** Which state it is: that of the commit that makes `revision` the record's. */
export interface Place {
  pid: Pid;
  incarnation: number;
  revision: number;
}

/** A place, and which of the writes that were meant for it. */
export interface StoredAt extends Place {
  writeId: string;
}

export interface Candidate extends StoredAt {
  /** `wipe` was told that this life is over. */
  hasEnded: boolean;
}

/**
 * `current`: the record refers to it. `pending`: a commit could still refer to it. `past`: none can any more. `unknown`:
 * there is no record, and nobody has said that there should be none.
 */
export type Verdict = "current" | "pending" | "past" | "unknown";

/** One verdict for each candidate, in order. */
export type Judge = (candidates: readonly Candidate[]) => Promise<Verdict[]>;

/** `start` does not wait for a store that cannot be reached; it rejects with a SettingError where the settings are wrong. */
export interface StateStore extends Part {
  /** As modules and references name it. */
  readonly name: string;

  /** Keeps a state, JSON text of any length. Doing it again changes nothing. Rejects with StoreUnavailable. */
  write(at: StoredAt, text: string): Promise<void>;

  /** Undefined where it was never written or has been wiped. Rejects with StoreUnavailable. */
  read(at: StoredAt): Promise<string | undefined>;

  /**
   * Says that this life of a process, and those before it, are over or about to be: what is stored of them will be looked
   * at by the next sweeps. It may be said too early, too often or wrongly, for the sweep asks the record.
   */
  wipe(pid: Pid, incarnation: number): Promise<void>;

  /**
   * Looks at some states that have not been looked at for `keepMs` since they were written, followed by another or wiped;
   * deletes what is past and was so when it was last looked at. Any node may do it at any time. True while more is due.
   */
  sweep(judge: Judge): Promise<boolean>;
}

/** The store does not answer, or not as it should. Nothing is lost: try again after `retryInMs`. */
export class StoreUnavailable extends Error {
  override name = "StoreUnavailable";
  readonly store: string;
  readonly retryInMs: number;

  constructor(store: string, reason: string, retryInMs: number) {
    super(`the state store "${store}" cannot be used (${reason})`);
    this.store = store;
    this.retryInMs = retryInMs;
  }
}

/** A record refers to a state that its store does not have. Trying again helps only where the record has moved on. */
export class StateMissing extends Error {
  override name = "StateMissing";

  constructor(store: string, { pid, incarnation, revision }: Place) {
    super(`the state store "${store}" does not have the state of ${pid}@${incarnation} at revision ${revision}`);
  }
}
