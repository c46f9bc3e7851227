/**
 * Holds a message against its module's named handlers before it is enqueued, so that its sender learns at once what is wrong
 * with it. The worker checks it again: it may run another version of the module.
 */

import { ClusterError } from "@genserverless/shared/service/errors.ts";
import {
  describeCallback,
  dispatch,
  InvalidMessageError,
  MESSAGE_CALLBACKS,
  type MessageCallback,
} from "genserverless/runtime/dispatch.ts";
import { firstLineOf } from "genserverless/runtime/turn-errors.ts";
import type { ServerModule } from "genserverless/server-module.ts";

/** The modules by name, as they are loaded now. */
export type Modules = () => ReadonlyMap<string, ServerModule>;

/**
 * Undefined where nothing is to be awaited: a module without named handlers, or a validator that has answered at once.
 * Throws, or rejects with, a ClusterError: `invalid_message`, or what the validator itself has come to.
 */
export function checkMessage(
  modules: Modules,
  moduleName: string | undefined,
  kind: keyof typeof MESSAGE_CALLBACKS,
  content: unknown,
): Promise<void> | undefined {
  const module = modules().get(moduleName ?? "");
  if (!module) return undefined;
  const callback = MESSAGE_CALLBACKS[kind];
  try {
    const dispatched = dispatch(module, callback, content);
    return dispatched instanceof Promise ? settle(dispatched, module, callback, content) : undefined;
  } catch (error) {
    throw explain(error, module, callback, content);
  }
}

async function settle(
  dispatched: Promise<unknown>,
  module: ServerModule,
  callback: MessageCallback,
  content: unknown,
): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const what = `${module.name}.${describeCallback(module, callback, content)}`;
  const detail = `the validator of ${what} was not done within ${module.turnTimeoutMs} ms`;
  const timer = setTimeout(() => reject(new ClusterError("callback_timeout", detail)), module.turnTimeoutMs);
  try {
    await Promise.race([dispatched, late]);
  } catch (error) {
    throw explain(error, module, callback, content);
  } finally {
    clearTimeout(timer);
  }
}

function explain(error: unknown, module: ServerModule, callback: MessageCallback, content: unknown): ClusterError {
  if (error instanceof ClusterError) return error;
  if (error instanceof InvalidMessageError) return new ClusterError("invalid_message", error.message);
  const what = `${module.name}.${describeCallback(module, callback, content)}`;
  return new ClusterError("callback_failed", `the validator of ${what} threw: ${firstLineOf(error)}`);
}
