/**
 * One message, one turn: invoke the callback, read its return, turn state and reply into JSON text at once. What comes
 * out says everything that the commit has to make true. A turn never throws: a failure is an outcome, and leaves the
 * state as it was.
 */

import { inspect } from "node:util";
import type { From } from "../contract.ts";
import { type EmittedEvent, isCommandFailed, type Journaled } from "../journaled.ts";
import { noreply } from "../returns.ts";
import type { ServerModule } from "../server-module.ts";
import { type Dispatched, describeCallback, dispatch, InvalidMessageError, type MessageCallback } from "./dispatch.ts";
import { InvalidReturnError, type ReturningCallback, readReturn, type Settled } from "./interpret.ts";
import { MOST_EVENTS, MOST_STATE_BYTES } from "./limits.ts";
import type { TurnContext } from "./turn-context.ts";
import { CallError, firstLineOf, TooManyEventsError } from "./turn-errors.ts";

/** The cluster's error codes that a turn can end with. */
export type TurnFailureCode =
  | "call_cycle"
  | "callback_failed"
  | "callback_timeout"
  | "command_failed"
  | "invalid_message"
  | "invalid_return"
  | "node_died"
  | "reply_not_json"
  | "reply_too_large"
  | "state_not_json"
  | "state_too_large"
  | "too_many_events";

export interface TurnFailure {
  code: TurnFailureCode;
  detail: string;
  stack: string[];
  /** The state in memory is as it was before the turn. Elsewhere a failed turn may have changed the object. */
  sparesState?: boolean;
}

/** What a turn of a journaled module adds to its journal. */
export interface TurnJournal {
  readonly events: readonly EmittedEvent[];
  /** The state after these events, JSON text, where it is to be kept. */
  readonly snapshotText: string | undefined;
}

/** What a turn came to. Of a journaled module `stateText` is "", and `journaled` says what is kept instead. */
export type TurnResult =
  | {
      kind: "goes-on";
      stateText: string;
      journaled?: TurnJournal;
      state: unknown;
      replyText: string | undefined;
      continueText: string | undefined;
      timeoutMs: number | undefined;
      hibernates: boolean;
    }
  | {
      kind: "stops";
      reason: string;
      stateText: string;
      journaled?: TurnJournal;
      state: unknown;
      replyText: string | undefined;
    }
  | { kind: "refuses"; reason: string }
  | { kind: "ignores" }
  | { kind: "fails"; failure: TurnFailure };

class Failed extends Error {
  readonly failure: TurnFailure;
  constructor(failure: TurnFailure) {
    super(failure.detail);
    this.failure = failure;
  }
}

/** Whether a callback is not done with what it has returned: any promise, also another realm's. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Starts a callback. What is returned may be a promise; `readTurn` takes what it settles to. */
export function invoke(
  module: ServerModule,
  callback: ReturningCallback,
  content: unknown,
  state: unknown,
  ctx: TurnContext,
): unknown {
  switch (callback) {
    case "init":
      return module.init(content, ctx);
    case "handleCall":
      if (module.calls) return invokeNamed(module, callback, content, state, ctx);
      return module.handleCall?.(content, fromOf(ctx), state as never, ctx);
    case "handleCast":
      if (module.casts) return invokeNamed(module, callback, content, state, ctx);
      return module.handleCast?.(content, state as never, ctx);
    case "handleInfo":
      if (module.infos) return invokeNamed(module, callback, content, state, ctx);
      return module.handleInfo?.(content, state as never, ctx);
    case "handleContinue":
      return module.handleContinue?.(content, state as never, ctx);
  }
}

/** As above, for a kind of message that has named handlers. */
function invokeNamed(
  module: ServerModule,
  callback: MessageCallback,
  content: unknown,
  state: unknown,
  ctx: TurnContext,
): unknown {
  const rest = callback === "handleCall" ? [fromOf(ctx), state, ctx] : [state, ctx];
  const run = ({ handler, args }: Dispatched) => handler.handle(args, ...rest);
  const dispatched = dispatch(module, callback, content);
  if (dispatched instanceof Promise) return dispatched.then(run);
  if (dispatched) return run(dispatched);
  const raw = module[callback] as ((...given: unknown[]) => unknown) | undefined;
  return raw ? raw.call(module, content, ...rest) : noreply(state);
}

function fromOf({ pid, messageId }: TurnContext): From {
  return { pid, messageId };
}

/** The state of its stored text. Throws what `load` throws, and TypeError where it is asynchronous. */
export function readState(module: ServerModule, stateText: string): unknown {
  const stored: unknown = JSON.parse(stateText);
  if (!module.load) return stored;
  const state = module.load(stored);
  if (isAsync(state)) throw new TypeError(`${module.name}.load returned a promise`);
  return state;
}

/** Reads what a callback returned. With the message's content an error names the handler. */
export function readTurn(
  module: ServerModule,
  callback: ReturningCallback,
  returned: unknown,
  content?: unknown,
): TurnResult {
  const what = describeCallback(module, callback, content);
  try {
    return toResult(module, what, readReturn(module.name, callback, returned, what));
  } catch (error) {
    if (error instanceof Failed) return { kind: "fails", failure: error.failure };
    return failWith(module, callback, error, content);
  }
}

/** The outcome of a callback that threw. */
export function failWith(module: ServerModule, callback: string, error: unknown, content?: unknown): TurnResult {
  if (error instanceof InvalidReturnError) {
    return { kind: "fails", failure: { code: "invalid_return", detail: error.message, stack: [] } };
  }
  if (error instanceof InvalidMessageError) {
    const failure = { code: "invalid_message" as const, detail: error.message, stack: [], sparesState: true };
    return { kind: "fails", failure };
  }
  if (isCommandFailed(error)) {
    const failure = {
      code: "command_failed" as const,
      detail: error.message,
      stack: [],
      sparesState: !error.isSpoiled,
    };
    return { kind: "fails", failure };
  }
  if (error instanceof TooManyEventsError) return failWithTooMany(module, describeCallback(module, callback, content));
  const [thrown, stack] = describeError(error);
  const detail = `${module.name}.${describeCallback(module, callback, content)} threw ${thrown}`;
  // Told as it is, all the way up the chain: whoever closed the cycle did not see it.
  const isCycle = error instanceof CallError && error.code === "call_cycle";
  return { kind: "fails", failure: { code: isCycle ? "call_cycle" : "callback_failed", detail, stack } };
}

function failWithTooMany(module: ServerModule, what: string): TurnResult & { kind: "fails" } {
  const bounds = `more than ${MOST_EVENTS} events, or ${MOST_STATE_BYTES} bytes of them`;
  const failure = { code: "too_many_events" as const, detail: `${module.name}.${what} emitted ${bounds}`, stack: [] };
  return { kind: "fails", failure };
}

export function failWithTimeout(module: ServerModule, callback: string, content?: unknown): TurnResult {
  const what = describeCallback(module, callback, content);
  const detail = `${module.name}.${what} was not done within ${module.turnTimeoutMs} ms`;
  return { kind: "fails", failure: { code: "callback_timeout", detail, stack: [] } };
}

/** Fails for a message whose callback the module does not have, where OTP would crash. */
export function failWithoutHandler(module: ServerModule, callback: string): TurnResult & { kind: "fails" } {
  return {
    kind: "fails",
    failure: { code: "callback_failed", detail: `${module.name} has no ${callback}`, stack: [] },
  };
}

/** Fails what has ended its node too often. */
export function failAfterDeaths(deaths: number, what: string, blame = ""): { kind: "fails"; failure: TurnFailure } {
  const detail = `${deaths} nodes died while ${what}`;
  return { kind: "fails", failure: { code: "node_died", detail, stack: blame ? blame.split("\n") : [] } };
}

/** Never throws, whatever was thrown: an object without a prototype, an error whose fields are not texts. */
export function describeError(error: unknown): [what: string, stack: string[]] {
  try {
    if (!(error instanceof Error)) return [`a value that is no error: ${inspect(error).slice(0, 200)}`, []];
    return [
      `${error.name}: ${error.message}`.slice(0, 2_000),
      String(error.stack ?? "")
        .split("\n")
        .slice(0, 50),
    ];
  } catch {
    return ["a value that cannot be described", []];
  }
}

function toResult(module: ServerModule, callback: string, settled: Settled): TurnResult {
  if (settled.kind === "refuse") return { kind: "refuses", reason: settled.reason };
  if (settled.kind === "ignore") return { kind: "ignores" };
  const journaled = module.journal && { journaled: toTurnJournal(module, callback, settled.journaled) };
  const stateText = journaled ? "" : toStateText(module, callback, settled.state);
  const replyText = settled.answer && toValueText(module, callback, "reply", settled.answer.reply);
  if (settled.kind === "stop")
    return { kind: "stops", reason: settled.reason, stateText, ...journaled, state: settled.state, replyText };
  const { next } = settled;
  const continues = typeof next === "object" && "continue" in next;
  return {
    kind: "goes-on",
    stateText,
    ...journaled,
    state: settled.state,
    replyText,
    continueText: continues ? toValueText(module, callback, "continuation", next.continue) : undefined,
    timeoutMs: typeof next === "object" && "timeout" in next ? next.timeout : undefined,
    hibernates: next === "hibernate",
  };
}

function toTurnJournal(module: ServerModule, callback: string, journaled: Journaled | undefined): TurnJournal {
  const { events = [], snapshot } = journaled ?? {};
  if (areTooMany(events)) throw new Failed(failWithTooMany(module, callback).failure);
  if (!snapshot) return { events, snapshotText: undefined };
  const subject = `${module.name}.${callback} left a state`;
  const snapshotText = toJson(snapshot.state, "state_not_json", subject) ?? "null";
  checkSize(snapshotText, "state_too_large", subject);
  return { events, snapshotText };
}

function areTooMany(events: readonly EmittedEvent[]): boolean {
  const isWithin = (sizeOf: (text: string) => number) =>
    events.reduce((sum, { type, dataText }) => sum + sizeOf(type) + sizeOf(dataText), 0) <= MOST_STATE_BYTES;
  // A text has at most three bytes of UTF-8 per character.
  return events.length > MOST_EVENTS || !(isWithin(({ length }) => length * 3) || isWithin(Buffer.byteLength));
}

/** What is stored of a state, JSON text. */
function toStateText(module: ServerModule, callback: string, state: unknown): string {
  const stored = module.dump ? dumpState(module, state) : state;
  const text = toJson(stored, "state_not_json", `${module.name}.${callback} returned a state`);
  if (text === undefined) {
    const detail = `${module.name}.${callback} returned a state that JSON cannot hold: ${typeof state}`;
    throw new Failed({ code: "state_not_json", detail, stack: [] });
  }
  checkSize(text, "state_too_large", `${module.name}.${callback} returned a state`);
  return text;
}

function dumpState(module: ServerModule, state: unknown): unknown {
  let stored: unknown;
  try {
    stored = module.dump?.(state as never);
  } catch (error) {
    const [thrown, stack] = describeError(error);
    throw new Failed({ code: "callback_failed", detail: `${module.name}.dump threw ${thrown}`, stack });
  }
  if (!isAsync(stored)) return stored;
  throw new Failed({ code: "invalid_return", detail: `${module.name}.dump returned a promise`, stack: [] });
}

/** What a promise that nobody waits for may reject with would end the node. */
function isAsync(value: unknown): boolean {
  if (!(value instanceof Promise)) return false;
  value.catch(() => {});
  return true;
}

function toValueText(module: ServerModule, callback: string, what: "reply" | "continuation", value: unknown): string {
  const subject = `${module.name}.${callback} returned a ${what}`;
  const text = toJson(value, "reply_not_json", subject) ?? "null";
  checkSize(text, "reply_too_large", subject);
  return text;
}

function checkSize(text: string, code: TurnFailureCode, what: string): void {
  // A text has at most three bytes of UTF-8 per character.
  if (text.length * 3 <= MOST_STATE_BYTES || Buffer.byteLength(text) <= MOST_STATE_BYTES) return;
  const detail = `${what} of ${Buffer.byteLength(text)} bytes; at most ${MOST_STATE_BYTES} are kept`;
  throw new Failed({ code, detail, stack: [] });
}

function toJson(value: unknown, code: TurnFailureCode, what: string): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new Failed({
      code,
      detail: `${what} that JSON cannot hold: ${firstLineOf(error)}`,
      stack: [],
    });
  }
}
