/**
 * Named handlers: the maps `calls`, `casts` and `infos` beside the raw callbacks. A message for one of them is
 * `{ "<name>": <args> }`, or just the text `"<name>"`, which gives it undefined. Where a handler has `args`, what it is given
 * has passed that validator, in the api and again in the worker.
 */

import { inspect } from "node:util";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Context, From, MaybePromise } from "./contract.ts";
import type { CallReturn, CastReturn } from "./returns.ts";

/** Any validator that speaks Standard Schema: zod's, valibot's, arktype's … */
export type Schema = StandardSchemaV1;

/** What a handler gets: the validator's output. Without a validator nobody has looked at it. */
type Checked<Args> = Args extends Schema ? StandardSchemaV1.InferOutput<Args> : unknown;

export interface CallHandler<Args, Returned, State> {
  readonly args?: Args & Schema;
  /** What the reply looks like, for the OpenAPI document. It is not checked. */
  readonly reply?: Schema;
  handle(args: Checked<Args>, from: From, state: State, ctx: Context): MaybePromise<Returned>;
}

export interface CastHandler<Args, State> {
  readonly args?: Args & Schema;
  handle(args: Checked<Args>, state: State, ctx: Context): MaybePromise<CastReturn<State>>;
}

/** A bare function is a handler without a validator. Taken from a method, so that an author may claim a type for `args`. */
type CallFunction<Returned, State> = CallHandler<unknown, Returned, State>["handle"];
type CastFunction<State> = CastHandler<unknown, State>["handle"];

/**
 * What an author writes. `Args` and `Returned` are inferred handler by handler, the one from the validators, the other from
 * what the handlers return; both at once is more than one mapped type can do, hence two.
 */
export type GivenCalls<Args, Returned, State> = {
  readonly [Name in keyof Args]: { readonly args?: Args[Name] & Schema } | object;
} & {
  readonly [Name in keyof Returned]:
    | CallHandler<Name extends keyof Args ? NoInfer<Args>[Name] : unknown, Returned[Name], State>
    | CallFunction<Returned[Name], State>;
};
export type GivenCasts<Args, State> = {
  readonly [Name in keyof Args]: CastHandler<Args[Name], State> | CastFunction<State>;
};

/** What a module has of it. */
export type Calls<Args, Returned, State> = {
  readonly [Name in keyof Returned]: CallHandler<Name extends keyof Args ? Args[Name] : unknown, Returned[Name], State>;
};
export type Casts<Args, State> = { readonly [Name in keyof Args]: CastHandler<Args[Name], State> };

export type AnyReturned<State> = Record<string, CallReturn<unknown, State>>;

/** What a map's handlers are sent: the validators' input. */
export type NamedMessage<Handlers> = {
  [Name in keyof Handlers & string]: MessageOf<Name, InputOf<Handlers[Name]>>;
}[keyof Handlers & string];

type MessageOf<Name extends string, Input> = { [Key in Name]: Input } | (undefined extends Input ? Name : never);
type InputOf<Handler> = Handler extends { readonly args?: infer Args }
  ? StandardSchemaV1.InferInput<NonNullable<Args> & Schema>
  : unknown;

/** Which handlers of a map a message names. */
export type NameIn<Handlers, Message> = Message extends string
  ? Message & keyof Handlers
  : keyof Message & keyof Handlers;

/** A map as the runtime sees it. */
export type Handlers = Readonly<Record<string, Handler>>;

export interface Handler {
  readonly args?: Schema;
  readonly reply?: Schema;
  handle(...given: unknown[]): unknown;
}

export type HandlerKind = "calls" | "casts" | "infos";
export const HANDLER_KINDS: readonly HandlerKind[] = ["calls", "casts", "infos"];

const NAME = /^[A-Za-z][A-Za-z0-9._:~-]{0,127}$/;
const NAME_RULE = "a letter, then at most 127 of [A-Za-z0-9._:~-]";
const FORM = "a function or { args?, handle }";

/** A map with every handler in its long form, frozen; undefined where there is none in it. */
export function readHandlers<Read>(map: object | undefined): Read | undefined {
  const entries = Object.entries(map ?? {});
  if (entries.length === 0) return undefined;
  const handlers = Object.create(null) as Record<string, Handler>;
  for (const [name, given] of entries) {
    handlers[name] = Object.freeze(typeof given === "function" ? { handle: given } : { ...given });
  }
  return Object.freeze(handlers) as Read;
}

/** What is wrong with a map, `field` being its name, or undefined. */
export function findHandlersFault(field: HandlerKind, map: object): string | undefined {
  for (const [name, handler] of Object.entries(map)) {
    if (!NAME.test(name)) return `${field}: a handler's name must be ${NAME_RULE}, not ${show(name)}`;
    const fault = findFault(handler, field === "calls" ? ["args", "reply", "handle"] : ["args", "handle"]);
    if (fault) return `${field}.${name}${fault}`;
  }
  return undefined;
}

function findFault(handler: unknown, fields: readonly string[]): string | undefined {
  if (isSchema(handler)) return ` must be ${FORM}, not a validator alone`;
  if (typeof handler === "function") return undefined;
  if (typeof handler !== "object" || handler === null) return ` must be ${FORM}, not ${show(handler)}`;
  const given: Record<string, unknown> = { ...handler };
  const stranger = Object.keys(given).find((field) => !fields.includes(field));
  if (stranger !== undefined) return ` has an unknown field ${stranger}; known are ${fields.join(", ")}`;
  if (typeof given["handle"] !== "function") return `.handle must be a function, not ${show(given["handle"])}`;
  const broken = ["args", "reply"].find((field) => given[field] !== undefined && !isSchema(given[field]));
  if (broken === undefined) return undefined;
  return `.${broken} must be a Standard Schema, e.g. of zod, valibot or arktype, not ${show(given[broken])}`;
}

/** Some validators are functions. */
function isSchema(value: unknown): value is Schema {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const { "~standard": standard } = value as { "~standard"?: { version?: unknown; validate?: unknown } };
  return typeof standard === "object" && standard?.version === 1 && typeof standard.validate === "function";
}

function show(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 80, breakLength: Infinity, customInspect: false });
}
