/**
 * The state stores of a node by their names, and the way between a record's text and a state's. A text that is no
 * reference is the state itself: it costs nothing here.
 */

import type { Pid } from "../process/pid.ts";
import { SettingError } from "../service/env.ts";
import { Lifecycle, type Part } from "../service/lifecycle.ts";
import { formatReference, IN_RECORD, newWriteId, readReference, storeOf } from "./reference.ts";
import { type Place, StateMissing, type StateStore, StoreUnavailable } from "./store.ts";
import { createJudge, type ReadRecords } from "./sweep.ts";

/** How long a process waits whose record names a store that this node does not have. */
const UNKNOWN_RETRY_MS = 10_000;

export class StateStores implements Part {
  readonly #stores: ReadonlyMap<string, StateStore>;
  readonly #lifecycle: Lifecycle;

  constructor(stores: readonly StateStore[]) {
    this.#stores = new Map(stores.map((store) => [store.name, store]));
    this.#lifecycle = new Lifecycle([...stores]);
  }

  /** Does not wait for a store that cannot be reached; rejects with a SettingError where one is set up wrongly. */
  start(): Promise<void> {
    return this.#lifecycle.start();
  }

  stop(): Promise<void> {
    return this.#lifecycle.stop();
  }

  /** Throws a SettingError where a module names a store that this node does not have. */
  checkStores(modules: Iterable<{ name: string; store: string }>): void {
    for (const { name, store } of modules) {
      if (store === IN_RECORD || this.#stores.has(store)) continue;
      const known = [IN_RECORD, ...this.#stores.keys()].join(", ");
      throw new SettingError(
        `STATE_STORES has no "${store}", which the module ${name} names as its store; known: ${known}`,
      );
    }
  }

  /** The state that a record's text stands for. Rejects with StoreUnavailable or StateMissing. */
  async resolve(pid: Pid, text: string | undefined): Promise<string | undefined> {
    if (text === undefined || storeOf(text) === IN_RECORD) return text;
    const { store, at } = readReference(pid, text);
    const state = await this.#find(store).read(at);
    if (state === undefined) throw new StateMissing(store, at);
    return state;
  }

  /**
   * Keeps a state and returns the text for the record. Until a commit has put it there, nobody knows of the state.
   * `previous` is what the record holds: where the module has another store now, the old one is told.
   */
  async write(store: string, place: Place, text: string, previous?: string): Promise<string> {
    if (storeOf(previous) !== store) await this.wipe(place.pid, place.incarnation, previous);
    if (store === IN_RECORD) return text;
    const at = { ...place, writeId: newWriteId() };
    await this.#find(store).write(at, text);
    return formatReference(store, at);
  }

  /**
   * Says that a life is about to end without its state: to be said before that commit. `text` is what the record holds.
   * Where the commit does not come about nothing is lost. Rejects with StoreUnavailable.
   */
  async wipe(pid: Pid, incarnation: number, text: string | undefined): Promise<void> {
    const store = storeOf(text);
    if (store !== IN_RECORD) await this.#find(store).wipe(pid, incarnation);
  }

  /** Forgets the state of a reference that no record names any more. Rejects with StoreUnavailable. */
  async forget(pid: Pid, reference: string): Promise<void> {
    await this.wipe(pid, readReference(pid, reference).at.incarnation, reference);
  }

  /** Deletes what no record needs any more. To be done every few seconds, by any node. Rejects where a store does. */
  async sweep(readRecords: ReadRecords): Promise<void> {
    const sweeps = [...this.#stores.values()].map(async (store) => {
      const judge = createJudge(store.name, readRecords);
      while (await store.sweep(judge));
    });
    const failed = (await Promise.allSettled(sweeps)).find(({ status }) => status === "rejected");
    if (failed) throw (failed as PromiseRejectedResult).reason;
  }

  #find(name: string): StateStore {
    const store = this.#stores.get(name);
    if (store) return store;
    throw new StoreUnavailable(name, "this node's STATE_STORES does not have it", UNKNOWN_RETRY_MS);
  }
}
