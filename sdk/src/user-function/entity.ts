import type { Behavior } from "./awake-entity.ts";
import { EVENT_SOURCED_TYPE } from "./server.ts";
import { type ServiceFiles, type ServiceOptions, UserService } from "./user-service.ts";

export interface EntityOptions extends ServiceOptions {
  /** Under which name the events are stored; another one later means entities without a past. "entity" unless given. */
  persistenceId?: string;
  /** How many events there are from one snapshot to the next, 100 unless given. */
  snapshotEvery?: number;
  /** How long an entity stays awake without commands; the backend's own time unless given. */
  passivationTimeoutMs?: number;
}

/**
 * An event-sourced entity: commands emit events, and its state is what these events come to. Events and states are messages
 * of the entity's own files, or JSON objects with a `type`.
 */
export class Entity<State = unknown> extends UserService {
  readonly entityType = EVENT_SOURCED_TYPE;
  readonly persistenceId: string;
  readonly snapshotEvery: number;
  readonly passivationTimeoutMs: number | undefined;
  #initial: ((entityId: string) => State) | undefined;
  #behavior: ((state: State) => Behavior<State>) | undefined;

  /** @throws Error where the files or the options are wrong */
  constructor(files: ServiceFiles, serviceName: string, options: EntityOptions = {}) {
    super(files, serviceName, options);
    this.persistenceId = options.persistenceId ?? "entity";
    this.snapshotEvery = options.snapshotEvery ?? 100;
    this.passivationTimeoutMs = options.passivationTimeoutMs;
    if (!Number.isInteger(this.snapshotEvery) || this.snapshotEvery < 1) {
      throw new Error("snapshotEvery must be a whole number from 1");
    }
  }

  /** The state of an entity without events. */
  setInitial(initial: (entityId: string) => State): this {
    this.#initial = initial;
    return this;
  }

  /** The handlers, which may depend on the state: it is asked before every command and every event. */
  setBehavior(behavior: (state: State) => Behavior<State>): this {
    this.#behavior = behavior;
    return this;
  }

  makeInitial(entityId: string): State {
    if (!this.#initial) throw new Error("setInitial was not called");
    return this.#initial(entityId);
  }

  makeBehavior(state: State): Behavior<State> {
    if (!this.#behavior) throw new Error("setBehavior was not called");
    return this.#behavior(state);
  }
}
