import { VALUE_TYPE } from "./program.ts";
import { type StatefulOptions, StatefulService } from "./stateful-service.ts";
import type { ServiceFiles } from "./user-service.ts";
import type { ValueHandler } from "./value-stream.ts";

/** An entity whose state is one value, stored as a whole: commands replace or delete it. Only in the later protocol. */
export class ValueEntity<State = unknown> extends StatefulService<State> {
  readonly entityType = VALUE_TYPE;
  #handlers: Readonly<Record<string, ValueHandler<State>>> = {};

  /** @throws Error where the files or the options are wrong */
  constructor(files: ServiceFiles, serviceName: string, options: StatefulOptions = {}) {
    super(files, serviceName, options);
  }

  /** By the names of the methods. */
  setCommandHandlers(handlers: Readonly<Record<string, ValueHandler<State>>>): this {
    this.#handlers = handlers;
    return this;
  }

  handlerOf(commandName: string): ValueHandler<State> | undefined {
    return Object.hasOwn(this.#handlers, commandName) ? this.#handlers[commandName] : undefined;
  }
}
