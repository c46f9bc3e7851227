import type { ActionHandler } from "./action-call.ts";
import { ACTION_TYPE } from "./program.ts";
import { UserService } from "./user-service.ts";

/** A function without a state: one request, one response. Only in the later protocol. */
export class Action extends UserService {
  readonly entityType = ACTION_TYPE;
  #handlers: Readonly<Record<string, ActionHandler>> = {};

  /** By the names of the methods. */
  setCommandHandlers(handlers: Readonly<Record<string, ActionHandler>>): this {
    this.#handlers = handlers;
    return this;
  }

  handlerOf(commandName: string): ActionHandler | undefined {
    return Object.hasOwn(this.#handlers, commandName) ? this.#handlers[commandName] : undefined;
  }
}
