/**
 * What a command handler is given to say more than its reply. It is of no use once the handler has returned, and, where the
 * handler is asynchronous, once its promise has settled.
 */

import protobuf from "protobufjs";
import { encodeAs } from "./protocol/any.ts";
import type { WireForward, WireMetadata, WireSideEffect } from "./protocol/wire.ts";
import type { MaybePromise } from "./run-command.ts";

/** Thrown by `fail`. Whoever catches it does not save the command. */
class CommandFailed extends Error {
  override name = "CommandFailed";
}

export type MetadataEntry = WireMetadata["entries"][number];

/** Whose command this is, and what the protocol that brought it can do. */
export interface CommandScope {
  readonly root: protobuf.Root;
  readonly hasForwards: boolean;
}

export class CommandContext {
  /** As it came with the command; empty in the first protocol. */
  readonly metadata: readonly MetadataEntry[];
  readonly #scope: CommandScope;
  readonly #effects: WireSideEffect[] = [];
  #forward: WireForward | undefined;
  #failure: string | undefined;
  #isActive = true;

  constructor(scope: CommandScope, metadata: WireMetadata | null | undefined) {
    this.#scope = scope;
    this.metadata = metadata?.entries ?? [];
  }

  /** The command comes to nothing; the caller gets this message. */
  fail(message: string): never {
    this.assertActive();
    this.#failure ??= String(message);
    throw new CommandFailed(this.#failure);
  }

  /** Another method of this program, such as "pkg.Service/Method", answers instead; what the handler returns is dropped. */
  forward(method: string, message: object): void {
    this.assertActive();
    this.#forward = this.#address(method, message);
  }

  /**
   * Sends a command to another method of this program, such as "pkg.Service/Method", after this one's events are stored. The
   * caller waits for a synchronous one.
   */
  effect(method: string, message: object, { synchronous = false } = {}): void {
    this.assertActive();
    this.#effects.push({ ...this.#address(method, message), synchronous });
  }

  protected assertActive(): void {
    if (!this.#isActive) throw new Error("Command context no longer active!");
  }

  #address(method: string, message: object): WireForward {
    if (!this.#scope.hasForwards) throw new Error("The first protocol has no forwards and no side effects");
    const [serviceName = "", commandName = "", ...rest] = method.split("/");
    const service = rest.length === 0 ? findService(this.#scope.root, serviceName) : undefined;
    const type = service && methodOf(service, commandName)?.resolvedRequestType;
    if (!type) throw new Error(`Unknown method ${method}`);
    return { serviceName, commandName, payload: encodeAs(type, message) };
  }

  /** Runs the handler to its end, and tells what it said. Rejects as the handler does, unless it failed the command. */
  async run(handle: () => MaybePromise<object | undefined>): Promise<CommandOutcome> {
    try {
      const reply = await handle();
      if (this.#failure === undefined) return { reply: reply ?? {}, forward: this.#forward, effects: this.#effects };
    } catch (error) {
      if (this.#failure === undefined) throw error;
    } finally {
      this.#isActive = false;
    }
    return { failure: this.#failure };
  }
}

export type CommandOutcome =
  | { readonly failure: string }
  | {
      readonly failure?: undefined;
      readonly reply: object;
      readonly forward: WireForward | undefined;
      readonly effects: readonly WireSideEffect[];
    };

/** By its full name alone: protobufjs finds it by the end of its name too. */
export function findService(root: protobuf.Root, fullName: string): protobuf.Service | undefined {
  const found = root.lookup(fullName, protobuf.Service);
  return found instanceof protobuf.Service && found.fullName === `.${fullName}` ? found : undefined;
}

/** The method that a command names, undefined where the service has none of that name. */
export function methodOf(service: protobuf.Service, name: string): protobuf.Method | undefined {
  const method = Object.hasOwn(service.methods, name) ? service.methods[name] : undefined;
  method?.resolve();
  return method;
}
