/** `defineServer` makes a module of a definition, or says when the file is loaded which field of which module is wrong. */

import { inspect } from "node:util";
import type { Callbacks, InitCheck, StateOf } from "./contract.ts";
import type { CallReturn } from "./returns.ts";

const SERVER_MODULE: unique symbol = Symbol.for("genserverless.module") as never;

export const DEFAULT_TURN_TIMEOUT_MS = 30_000;
export const DEFAULT_IDLE_AFTER_MS = 60_000;

export interface Definition<Started, Args, Call, Called extends CallReturn<unknown, StateOf<Started>>, Cast, Info>
  extends Callbacks<Started, Args, Call, Called, Cast, Info> {
  /** The first part of every pid of this module. */
  name: string;
  /** Rises with every change of the state's shape. */
  version: number;
  /** The deadline of a turn, in ms; 30,000 unless given. */
  turnTimeoutMs?: number;
  /** After so many ms without a message a process is put to sleep, its state kept; 60,000 unless given, Infinity for never. */
  idleAfterMs?: number;
}

/** A checked definition. Without type arguments it is any module, as the runtime sees it. */
export interface ServerModule<
  Started = unknown,
  Args = unknown,
  Call = unknown,
  Called extends CallReturn<unknown, StateOf<Started>> = CallReturn<unknown, StateOf<Started>>,
  Cast = unknown,
  Info = unknown,
> extends Callbacks<Started, Args, Call, Called, Cast, Info> {
  readonly [SERVER_MODULE]: true;
  readonly name: string;
  readonly version: number;
  readonly turnTimeoutMs: number;
  readonly idleAfterMs: number;
}

export class InvalidModuleError extends Error {
  override name = "InvalidModuleError";
}

/** Throws InvalidModuleError, which names the module and the field. */
export function defineServer<Started, Args, Call, Called extends CallReturn<unknown, StateOf<Started>>, Cast, Info>(
  definition: Definition<Started, Args, Call, Called, Cast, Info> & InitCheck<Started>,
): ServerModule<Started, Args, Call, Called, Cast, Info> {
  checkDefinition(definition);
  const given: Definition<Started, Args, Call, Called, Cast, Info> = definition;
  return Object.freeze({
    ...given,
    [SERVER_MODULE]: true as const,
    turnTimeoutMs: given.turnTimeoutMs ?? DEFAULT_TURN_TIMEOUT_MS,
    idleAfterMs: given.idleAfterMs ?? DEFAULT_IDLE_AFTER_MS,
  });
}

export function isServerModule(value: unknown): value is ServerModule {
  return typeof value === "object" && value !== null && SERVER_MODULE in value;
}

const PID_PART = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const DURATION = `a whole number of ms from 1 to ${LONGEST_TIMER_MS}`;

type Rule = [isRight: (value: unknown) => boolean, what: string];

const CALLBACK: Rule = [(value) => typeof value === "function", "a function"];

const RULES: Record<keyof Definition<unknown, unknown, unknown, never, unknown, unknown>, Rule> = {
  name: [isPidPart, "1 to 128 characters of [A-Za-z0-9._~-], and neither . nor .."],
  version: [(value) => Number.isSafeInteger(value) && Number(value) >= 1, "a positive whole number"],
  turnTimeoutMs: [isDuration, DURATION],
  idleAfterMs: [(value) => value === Infinity || isDuration(value), `${DURATION}, or Infinity for never`],
  init: CALLBACK,
  handleCall: CALLBACK,
  handleCast: CALLBACK,
  handleInfo: CALLBACK,
  handleContinue: CALLBACK,
  terminate: CALLBACK,
};

const REQUIRED: readonly string[] = ["name", "version", "init"];

function checkDefinition(definition: object): void {
  const fields: Record<string, unknown> = { ...definition };
  const module = isPidPart(fields["name"]) ? `module ${fields["name"]}` : "module";
  for (const [field, [isRight, what]] of Object.entries(RULES)) {
    const value = fields[field];
    if (value === undefined && !REQUIRED.includes(field)) continue;
    if (!isRight(value)) throw new InvalidModuleError(`${module}: ${field} must be ${what}, not ${show(value)}`);
  }
  const stranger = Object.keys(fields).find((field) => !Object.hasOwn(RULES, field));
  if (stranger === undefined) return;
  throw new InvalidModuleError(`${module}: unknown field ${stranger}; known are ${Object.keys(RULES).join(", ")}`);
}

function isPidPart(value: unknown): boolean {
  return typeof value === "string" && PID_PART.test(value);
}

function isDuration(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LONGEST_TIMER_MS;
}

function show(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 80, breakLength: Infinity, customInspect: false });
}
