import type { Behavior } from "./awake-entity.ts";
import { EVENT_SOURCED_TYPE } from "./program.ts";
import { assertWhole, type StatefulOptions, StatefulService } from "./stateful-service.ts";
import type { ServiceFiles } from "./user-service.ts";

export interface EntityOptions extends StatefulOptions {
  /** How many events there are from one snapshot to the next, 100 unless given. */
  snapshotEvery?: number;
}

/**
 * An event-sourced entity: commands emit events, and its state is what these events come to. Events and states are messages
 * of the entity's own files, or JSON objects with a `type`.
 */
export class Entity<State = unknown> extends StatefulService<State> {
  readonly entityType = EVENT_SOURCED_TYPE;
  readonly snapshotEvery: number;
  #behavior: ((state: State) => Behavior<State>) | undefined;

  /** @throws Error where the files or the options are wrong */
  constructor(files: ServiceFiles, serviceName: string, options: EntityOptions = {}) {
    super(files, serviceName, options);
    this.snapshotEvery = options.snapshotEvery ?? 100;
    assertWhole("snapshotEvery", this.snapshotEvery);
  }

  /** The handlers, which may depend on the state: it is asked before every command and every event. */
  setBehavior(behavior: (state: State) => Behavior<State>): this {
    this.#behavior = behavior;
    return this;
  }

  makeBehavior(state: State): Behavior<State> {
    if (!this.#behavior) throw new Error("setBehavior was not called");
    return this.#behavior(state);
  }
}
