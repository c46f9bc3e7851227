/** What each field of a definition must be, and the error that says which of them is not. */

import { inspect } from "node:util";
import { findHandlersFault, HANDLER_KINDS } from "./handlers.ts";
import { isPidPart } from "./runtime/limits.ts";
import type { Definition } from "./server-module.ts";

export class InvalidModuleError extends Error {
  override name = "InvalidModuleError";
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const DURATION = `a whole number of ms from 1 to ${LONGEST_TIMER_MS}`;

type Rule = [isRight: (value: unknown) => boolean, what: string];

const isFunction = (value: unknown) => typeof value === "function";
const CALLBACK: Rule = [isFunction, "a function"];
const YES_OR_NO: Rule = [(value) => typeof value === "boolean", "true or false"];
/** A whole number from 1. */
export const isWholeFrom1 = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 1;

type Fields = Readonly<Record<string, (field: unknown) => boolean>>;

/** An object with all of these fields, any of the optional ones, and no other. */
function isRecord(value: unknown, fields: Fields, optional: Fields = {}): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const given = Object.entries(value).filter(([name, field]) => field !== undefined || !Object.hasOwn(optional, name));
  const isRight = ([name, field]: [string, unknown]) =>
    (Object.hasOwn(fields, name) ? fields[name] : Object.hasOwn(optional, name) ? optional[name] : undefined)?.(field);
  return Object.keys(fields).every((name) => Object.hasOwn(value, name)) && given.every(isRight);
}

function isBackoff(value: unknown): boolean {
  const isPause = (ms: unknown) => ms === 0 || isDuration(ms);
  const isType = (type: unknown) => type === "fixed" || type === "exponential";
  return isPause(value) || isRecord(value, { type: isType, delay: isPause });
}

function isWritePolicy(value: unknown): boolean {
  if (value === "every-turn" || value === "on-passivate") return true;
  const isEvery = (every: unknown) =>
    isRecord(every, {}, { turns: isWholeFrom1, ms: isDuration }) && Object.values(every).some(isWholeFrom1);
  return isRecord(value, { every: isEvery });
}

export function isRetention(value: unknown): boolean {
  return isRecord(value, {}, { events: isWholeFrom1, ms: isWholeFrom1 });
}

/** What is looked at more closely after the rules. */
const HANDLERS: Rule = [
  (value) => typeof value === "object" && value !== null && !Array.isArray(value) && !("~standard" in value),
  "an object of handlers by name",
];

const RULES: Record<keyof Definition<unknown, unknown, unknown, never, unknown, unknown>, Rule> = {
  name: [isPidPart, "1 to 128 characters of [A-Za-z0-9._~-], and neither . nor .."],
  version: [(value) => Number.isSafeInteger(value) && Number(value) >= 1, "a positive whole number"],
  turnTimeoutMs: [isDuration, DURATION],
  idleAfterMs: [(value) => value === Infinity || isDuration(value), `${DURATION}, or Infinity for never`],
  onDemand: YES_OR_NO,
  keepState: [
    (value) => value === "never" || value === "after-crash" || value === "always",
    '"never", "after-crash" or "always"',
  ],
  writePolicy: [isWritePolicy, '"every-turn", "on-passivate" or { every: { turns?, ms? } }'],
  retry: [
    (value) => isRecord(value, { attempts: isWholeFrom1 }, { backoff: isBackoff }),
    '{ attempts, backoff? }, backoff in ms or { type: "fixed" or "exponential", delay }',
  ],
  intensity: [
    (value) => isRecord(value, { crashes: isWholeFrom1, withinMs: isDuration }),
    "{ crashes, withinMs }, whole numbers from 1",
  ],
  mailbox: [
    (value) => isRecord(value, {}, { messages: isWholeFrom1, bytes: isWholeFrom1 }),
    "{ messages?, bytes? }, whole numbers from 1",
  ],
  trapExit: YES_OR_NO,
  store: [isPidPart, "the name of a state store"],
  journal: [
    (value) =>
      isRecord(value, { recover: isFunction }, { release: isFunction, view: isFunction, retention: isRetention }),
    "{ recover, release?, view?, retention?: { events?, ms? } }",
  ],
  init: CALLBACK,
  handleCall: CALLBACK,
  handleCast: CALLBACK,
  handleInfo: CALLBACK,
  handleContinue: CALLBACK,
  terminate: CALLBACK,
  codeChange: CALLBACK,
  dump: CALLBACK,
  load: CALLBACK,
  calls: HANDLERS,
  casts: HANDLERS,
  infos: HANDLERS,
};

const REQUIRED: readonly string[] = ["name", "version", "init"];
const NOT_JOURNALED: readonly string[] = ["store", "writePolicy", "dump", "load", "codeChange"];

/** Throws InvalidModuleError for the first thing that is wrong. */
export function checkDefinition(definition: object): void {
  const fields: Record<string, unknown> = { ...definition };
  const module = isPidPart(fields["name"]) ? `module ${fields["name"]}` : "module";
  for (const [field, [isRight, what]] of Object.entries(RULES)) {
    const value = fields[field];
    if (value === undefined && !REQUIRED.includes(field)) continue;
    if (!isRight(value)) throw new InvalidModuleError(`${module}: ${field} must be ${what}, not ${show(value)}`);
  }
  const stranger = Object.keys(fields).find((field) => !Object.hasOwn(RULES, field));
  if (stranger !== undefined) {
    throw new InvalidModuleError(`${module}: unknown field ${stranger}; known are ${Object.keys(RULES).join(", ")}`);
  }
  const misplaced = fields["journal"] && NOT_JOURNALED.find((field) => fields[field] !== undefined);
  if (misplaced) throw new InvalidModuleError(`${module}: ${misplaced} is for modules without a journal`);
  for (const kind of HANDLER_KINDS) {
    const fault = findHandlersFault(kind, (fields[kind] ?? {}) as object);
    if (fault) throw new InvalidModuleError(`${module}: ${fault}`);
  }
}

function isDuration(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LONGEST_TIMER_MS;
}

function show(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 80, breakLength: Infinity, customInspect: false });
}
