/**
 * Which code of a module a message is for. The api asks, so that it can refuse before it enqueues; a worker and the test kit
 * ask again, for what processes and timers send does not pass the api.
 */

import { inspect } from "node:util";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Handler, HandlerKind, Handlers } from "../handlers.ts";
import type { ServerModule } from "../server-module.ts";

/** The callbacks that take messages. */
export type MessageCallback = "handleCall" | "handleCast" | "handleInfo";

/** Which callback takes which kind of message. */
export const MESSAGE_CALLBACKS = { call: "handleCall", cast: "handleCast", info: "handleInfo" } as const;

/** A named handler, with the arguments that it gets. */
export interface Dispatched {
  readonly name: string;
  readonly handler: Handler;
  readonly args: unknown;
}

/** The module does not take the message; the text says why, issue by issue. */
export class InvalidMessageError extends Error {
  override name = "InvalidMessageError";
}

const KINDS: Record<MessageCallback, HandlerKind> = { handleCall: "calls", handleCast: "casts", handleInfo: "infos" };
/** Of infos that the cluster sends: they are no mistake of their sender, and ignored where nobody handles them. */
const SYSTEM_TYPES: readonly unknown[] = ["DOWN", "EXIT"];
const TIMEOUT = "timeout";

const MOST_ISSUES = 10;
const MOST_NAMES = 50;
const LONGEST_ISSUE = 300;

/** The module's handlers for this kind of message; undefined for a module without such a map. */
export function handlersOf(module: ServerModule, callback: MessageCallback): Handlers | undefined {
  return module[KINDS[callback]] as Handlers | undefined;
}

/** Whether the module takes this kind of message at all. An info that it does not take is ignored, as in OTP. */
export function isHandled(module: ServerModule, callback: MessageCallback): boolean {
  return module[callback] !== undefined || handlersOf(module, callback) !== undefined;
}

/** A callback as errors name it: `calls.deposit`, or `handleCall`. */
export function describeCallback(module: ServerModule, callback: string, content: unknown): string {
  const kind = (KINDS as Record<string, HandlerKind | undefined>)[callback];
  if (kind === undefined || !module[kind]) return callback;
  const found = findHandler(module[kind] as Handlers, callback as MessageCallback, content);
  return found ? `${kind}.${found.name}` : callback;
}

/**
 * The named handler of a message, its arguments validated: a promise where the validator is asynchronous. Undefined where the
 * message is the raw callback's, or an info of the cluster that nobody handles. Throws, or rejects with, InvalidMessageError, or what the validator has thrown.
 */
export function dispatch(
  module: ServerModule,
  callback: MessageCallback,
  content: unknown,
): Dispatched | Promise<Dispatched> | undefined {
  const handlers = handlersOf(module, callback);
  if (!handlers) return undefined;
  const found = findHandler(handlers, callback, content);
  if (found) return validate(`${module.name}.${KINDS[callback]}.${found.name}`, found);
  if (module[callback] || (callback === "handleInfo" && isSystemInfo(content))) return undefined;
  throw new InvalidMessageError(describeStranger(`${module.name}.${KINDS[callback]}`, handlers, content));
}

function findHandler(handlers: Handlers, callback: MessageCallback, content: unknown): Dispatched | undefined {
  if (typeof content === "string") return named(handlers, content, undefined);
  if (typeof content !== "object" || content === null || Array.isArray(content)) return undefined;
  if (callback === "handleInfo" && isSystemInfo(content)) return named(handlers, content.type, content);
  const names = Object.keys(content);
  const [name] = names;
  if (name === undefined || names.length > 1) return undefined;
  return named(handlers, name, (content as Record<string, unknown>)[name]);
}

function named(handlers: Handlers, name: string, args: unknown): Dispatched | undefined {
  // The map has no prototype, so that there is nothing in it but its handlers.
  const handler = handlers[name];
  return handler && { name, handler, args };
}

function isSystemInfo(content: unknown): content is { type: string } {
  if (content === TIMEOUT) return true;
  return typeof content === "object" && content !== null && "type" in content && SYSTEM_TYPES.includes(content.type);
}

function validate(what: string, dispatched: Dispatched): Dispatched | Promise<Dispatched> {
  const schema = dispatched.handler.args;
  if (!schema) return dispatched;
  const result = schema["~standard"].validate(dispatched.args);
  if (!("then" in result)) return accept(what, dispatched, result);
  return result.then((settled) => accept(what, dispatched, settled));
}

function accept(what: string, dispatched: Dispatched, result: StandardSchemaV1.Result<unknown>): Dispatched {
  if (!result.issues) return { ...dispatched, args: result.value };
  const issues = result.issues.slice(0, MOST_ISSUES).map(describeIssue);
  const more = result.issues.length - issues.length;
  if (more > 0) issues.push(`and ${more} more`);
  throw new InvalidMessageError(`${what}: ${issues.join("; ")}`);
}

/** `items.0.name: must be a text` */
function describeIssue({ path = [], message }: StandardSchemaV1.Issue): string {
  const steps = path.map((step) => String(typeof step === "object" ? step.key : step));
  return `${steps.length > 0 ? `${steps.join(".")}: ` : ""}${message}`.slice(0, LONGEST_ISSUE);
}

function describeStranger(what: string, handlers: Handlers, content: unknown): string {
  const all = Object.keys(handlers);
  const names = all.length > MOST_NAMES ? [...all.slice(0, MOST_NAMES), "…"] : all;
  return `${what} has no handler for ${show(content)}; send { "<name>": <args> }, or "<name>" alone, of ${names.join(", ")}`;
}

function show(value: unknown): string {
  const text = inspect(value, { depth: 0, maxStringLength: 80, breakLength: Infinity, customInspect: false });
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}
