/** What event-sourced and value entities have in common: they are stored, and asleep until a command comes. */

import { type ServiceFiles, type ServiceOptions, UserService } from "./user-service.ts";

export interface StatefulOptions extends ServiceOptions {
  /** Under which name the entities are stored; another one later means entities without a past. "entity" unless given. */
  persistenceId?: string;
  /** How long an entity stays awake without commands; the backend's own time unless given. */
  passivationTimeoutMs?: number;
}

export class StatefulService<State> extends UserService {
  readonly persistenceId: string;
  readonly passivationTimeoutMs: number | undefined;
  #initial: ((entityId: string) => State) | undefined;

  /** @throws Error where the files or the options are wrong */
  constructor(files: ServiceFiles, serviceName: string, options: StatefulOptions) {
    super(files, serviceName, options);
    this.persistenceId = options.persistenceId ?? "entity";
    this.passivationTimeoutMs = options.passivationTimeoutMs;
    if (!this.persistenceId) throw new Error("persistenceId must not be empty");
    if (this.passivationTimeoutMs !== undefined) assertWhole("passivationTimeoutMs", this.passivationTimeoutMs);
  }

  /** The state where nothing is stored. */
  setInitial(initial: (entityId: string) => State): this {
    this.#initial = initial;
    return this;
  }

  makeInitial(entityId: string): State {
    if (!this.#initial) throw new Error("setInitial was not called");
    return this.#initial(entityId);
  }
}

export function assertWhole(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} must be a whole number from 1`);
}
