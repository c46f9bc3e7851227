import { VALUE_TYPE } from "./server.ts";
import { type ServiceFiles, type ServiceOptions, UserService } from "./user-service.ts";
import type { ValueHandler } from "./value-stream.ts";

export interface ValueEntityOptions extends ServiceOptions {
  /** Under which name the values are stored; another one later means entities without a past. "entity" unless given. */
  persistenceId?: string;
  /** How long an entity stays awake without commands; the backend's own time unless given. */
  passivationTimeoutMs?: number;
}

/** An entity whose state is one value, stored as a whole: commands replace or delete it. Only in the later protocol. */
export class ValueEntity<State = unknown> extends UserService {
  readonly entityType = VALUE_TYPE;
  readonly persistenceId: string;
  readonly passivationTimeoutMs: number | undefined;
  #initial: ((entityId: string) => State) | undefined;
  #handlers: Readonly<Record<string, ValueHandler<State>>> = {};

  /** @throws Error where the files are wrong */
  constructor(files: ServiceFiles, serviceName: string, options: ValueEntityOptions = {}) {
    super(files, serviceName, options);
    this.persistenceId = options.persistenceId ?? "entity";
    this.passivationTimeoutMs = options.passivationTimeoutMs;
  }

  /** The state where no value is stored. */
  setInitial(initial: (entityId: string) => State): this {
    this.#initial = initial;
    return this;
  }

  /** By the names of the methods. */
  setCommandHandlers(handlers: Readonly<Record<string, ValueHandler<State>>>): this {
    this.#handlers = handlers;
    return this;
  }

  makeInitial(entityId: string): State {
    if (!this.#initial) throw new Error("setInitial was not called");
    return this.#initial(entityId);
  }

  handlerOf(commandName: string): ValueHandler<State> | undefined {
    return Object.hasOwn(this.#handlers, commandName) ? this.#handlers[commandName] : undefined;
  }
}
