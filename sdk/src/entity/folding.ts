/** Events into state: while a command emits them, and when an entity is made of its journal. */

import { type JournalEntry, JournalError, type Snapshot, type StoredJournal } from "../journaled.ts";
import { describeError } from "../runtime/turn.ts";
import type { EntityState, EventHandlers, Upcast, VersionedEvent } from "./entity-types.ts";

export interface FoldingOptions {
  name: string;
  version: number;
  initial: (key: string) => unknown;
  /** The handlers that count in a state. */
  eventsOf: (state: unknown) => EventHandlers<Record<string, unknown>, unknown>;
  upcast: Readonly<Record<number, Upcast>>;
  codeChange: ((fromVersion: number, state: unknown) => unknown) | undefined;
  snapshotEvery: number;
}

export class Folding {
  readonly name: string;
  readonly #options: FoldingOptions;

  constructor(options: FoldingOptions) {
    this.name = options.name;
    this.#options = options;
  }

  begin(key: string): EntityState<unknown> {
    return { sequence: 0, value: this.#options.initial(key) };
  }

  /** Whether a snapshot is due somewhere behind one sequence, up to another. */
  isSnapshotDue(from: number, to: number): boolean {
    const { snapshotEvery } = this.#options;
    return Math.floor(to / snapshotEvery) > Math.floor(from / snapshotEvery);
  }

  /** The state after one more event. Throws TypeError for one that nobody handles, and what its handler throws. */
  apply(type: string, data: unknown, state: unknown): unknown {
    const handlers = this.#options.eventsOf(state);
    const handler = Object.hasOwn(handlers, type) ? handlers[type] : undefined;
    if (!handler) {
      const known = Object.keys(handlers).join(", ") || "none";
      throw new TypeError(`${this.name} has no event ${type}; it has ${known}`);
    }
    const next = handler(data, state);
    if (next === undefined) throw new TypeError(`${this.name}.events.${type} returned no state`);
    if (next instanceof Promise) {
      next.catch(() => {});
      throw new TypeError(`${this.name}.events.${type} returned a promise: an event's handler has nothing to wait for`);
    }
    return next;
  }

  /** Rejects with JournalError. */
  async recover({ key, pid, snapshot, pages, whole }: StoredJournal): Promise<EntityState<unknown>> {
    const found = this.#open(pid, snapshot);
    let state: unknown = found ? found.state : this.#options.initial(key);
    let sequence = found?.sequence ?? 0;
    for await (const page of found || !snapshot ? pages : whole()) {
      for (const entry of page) {
        state = this.#applyStored(pid, entry, state);
        sequence = entry.sequence;
      }
    }
    return { sequence, value: state };
  }

  /** Undefined where there is no snapshot, or one of another version that cannot be made one of this. */
  #open(pid: string, snapshot: Snapshot | undefined): { sequence: number; state: unknown } | undefined {
    if (!snapshot) return undefined;
    const { name, version, codeChange } = this.#options;
    const what = `the snapshot of ${pid} at event ${snapshot.sequence}`;
    if (snapshot.version > version && !codeChange) {
      throw new JournalError(`${what} is of version ${snapshot.version}, and ${name} of version ${version}`);
    }
    if (snapshot.version !== version && !codeChange) return undefined;
    let state = parse(snapshot.stateText, what);
    if (codeChange && snapshot.version !== version) {
      state = attempt(`${name}.codeChange from version ${snapshot.version}`, () => codeChange(snapshot.version, state));
    }
    return { sequence: snapshot.sequence, state };
  }

  /** Most events are of this version, and there may be many. */
  #applyStored(pid: string, entry: JournalEntry, state: unknown): unknown {
    let trouble = " is torn";
    try {
      const data: unknown = JSON.parse(entry.dataText);
      trouble = "";
      if (entry.version === this.#options.version) return this.apply(entry.type, data, state);
      trouble = " is not upcast";
      const events = this.#upcast({ type: entry.type, data }, entry.version);
      trouble = "";
      return events.reduce((before, event) => this.apply(event.type, event.data, before), state);
    } catch (error) {
      const { sequence, type, version } = entry;
      throw new JournalError(
        `event ${sequence} of ${pid}, ${type} of version ${version}${trouble}: ${describeError(error)[0]}`,
      );
    }
  }

  #upcast(event: VersionedEvent, version: number): VersionedEvent[] {
    const { name, version: own } = this.#options;
    if (version > own) throw new TypeError(`${name} is of version ${own}`);
    let events = [event];
    for (let from = version; from < own; from++) {
      const step = this.#options.upcast[from];
      if (step) events = events.flatMap(step);
    }
    return events;
  }
}

function parse(text: string, what: string): unknown {
  return attempt(`${what} is torn`, () => JSON.parse(text) as unknown);
}

function attempt<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new JournalError(`${what}: ${describeError(error)[0]}`);
  }
}
