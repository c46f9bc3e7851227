/** Reads what a callback has returned: one of its legal returns becomes what the runtime has to do, all else an error. */

import { inspect } from "node:util";
import type { CallbackName } from "../contract.ts";
import { type Journaled, journaledOf } from "../journaled.ts";
import { isReturn, type Next, RETURN, type Return } from "../returns.ts";
import { isDelay } from "./limits.ts";

/** The callbacks that return what is to happen. */
export type ReturningCallback = Extract<
  CallbackName,
  "init" | "handleCall" | "handleCast" | "handleInfo" | "handleContinue"
>;

/** The process goes on with `state`. `answer` is there for a call that is answered now. */
export interface Continue {
  readonly kind: "continue";
  readonly state: unknown;
  readonly journaled?: Journaled;
  readonly answer: Answer | undefined;
  readonly next: Next | undefined;
}

/** The process stops: terminate runs with `state`. The caller gets `answer` where there is one. */
export interface StopProcess {
  readonly kind: "stop";
  readonly reason: string;
  readonly state: unknown;
  readonly journaled?: Journaled;
  readonly answer: Answer | undefined;
}

/** init declined: there is no process, and terminate does not run. */
export interface Refuse {
  readonly kind: "refuse";
  readonly reason: string;
}

/** init wants no process, and that is no error. */
export interface Decline {
  readonly kind: "ignore";
}

/** Wrapped, so that a reply of null is an answer too. */
export interface Answer {
  readonly reply: unknown;
}

export type Settled = Continue | StopProcess | Refuse | Decline;

type ReturnKind = Return[typeof RETURN];

const FORMS: Record<ReturnKind, string> = {
  ok: "ok(state, next?)",
  reply: "reply(value, state, next?)",
  noreply: "noreply(state, next?)",
  ignore: "ignore()",
  "stop-start": "stop(reason)",
  stop: "stop(reason, state)",
  "stop-reply": "stop(reason, reply, state)",
};

const LEGAL: Record<ReturningCallback, readonly ReturnKind[]> = {
  init: ["ok", "ignore", "stop-start"],
  handleCall: ["reply", "noreply", "stop-reply", "stop"],
  handleCast: ["noreply", "stop"],
  handleInfo: ["noreply", "stop"],
  handleContinue: ["noreply", "stop"],
};

export class InvalidReturnError extends Error {
  override name = "InvalidReturnError";

  constructor(module: string, callback: ReturningCallback, what: string, returned: string) {
    const forms = LEGAL[callback].map((kind) => FORMS[kind]);
    if (callback === "init") forms.unshift("a state");
    super(`${module}.${what} returned ${returned}; legal returns are ${forms.join(", ")}`);
  }
}

/**
 * What the settled value of a callback means. Throws InvalidReturnError, whose message names the module, the callback, or
 * `what` runs in its place, what it returned, shortened, and the legal returns.
 */
export function readReturn(
  module: string,
  callback: ReturningCallback,
  value: unknown,
  what: string = callback,
): Settled {
  if (!isReturn(value)) {
    if (callback === "init" && value !== undefined) {
      return { kind: "continue", state: value, answer: undefined, next: undefined };
    }
    throw new InvalidReturnError(module, callback, what, shorten(value));
  }
  if (!LEGAL[callback].includes(value[RETURN])) {
    throw new InvalidReturnError(module, callback, what, FORMS[value[RETURN]]);
  }
  const fault = findFault(value);
  if (fault) throw new InvalidReturnError(module, callback, what, `${FORMS[value[RETURN]]} with ${fault}`);
  const journaled = journaledOf(value);
  return journaled ? { ...(settle(value) as Continue | StopProcess), journaled } : settle(value);
}

function settle(value: Return): Settled {
  switch (value[RETURN]) {
    case "ok":
    case "noreply":
      return { kind: "continue", state: value.state, answer: undefined, next: value.next };
    case "reply":
      return { kind: "continue", state: value.state, answer: { reply: value.reply }, next: value.next };
    case "stop":
      return { kind: "stop", reason: value.reason, state: value.state, answer: undefined };
    case "stop-reply":
      return { kind: "stop", reason: value.reason, state: value.state, answer: { reply: value.reply } };
    case "ignore":
      return { kind: "ignore" };
    case "stop-start":
      return { kind: "refuse", reason: value.reason };
  }
}

/** What the builders' types forbid and plain JavaScript can still do. */
function findFault(value: Return): string | undefined {
  if ("reason" in value && (typeof value.reason !== "string" || value.reason === "")) {
    return `the reason ${shorten(value.reason)}, which is not a text`;
  }
  if ("next" in value && value.next !== undefined && !isNext(value.next)) {
    return `the next ${shorten(value.next)}, which is none of "hibernate", { continue: value } and { timeout: ms }`;
  }
  return undefined;
}

function isNext(value: unknown): value is Next {
  if (value === "hibernate") return true;
  if (typeof value !== "object" || value === null) return false;
  const keys = Object.keys(value).join();
  return keys === "continue" || (keys === "timeout" && isDelay((value as { timeout: unknown }).timeout));
}

function shorten(value: unknown): string {
  const text = inspect(value, {
    depth: 1,
    maxStringLength: 80,
    maxArrayLength: 5,
    breakLength: Infinity,
    customInspect: false,
  });
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}
