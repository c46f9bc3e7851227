/**
 * One message, one turn: invoke the callback, read its return, turn state and reply into JSON text at once. What comes
 * out says everything that the commit has to make true. A turn never throws: a failure is an outcome, and leaves the
 * state as it was.
 */

import { inspect } from "node:util";
import type { ErrorCode } from "@genserverless/shared/service/errors.ts";
import { InvalidReturnError, type ReturningCallback, readReturn, type Settled } from "genserverless/interpret.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import { currentTurn, type TurnContext } from "./context.ts";

const MOST_STATE_BYTES = 8 * 1024 * 1024;

export interface TurnFailure {
  code: ErrorCode;
  detail: string;
  stack: string[];
}

/** What a turn came to. */
export type TurnResult =
  | {
      kind: "goes-on";
      stateText: string;
      state: unknown;
      replyText: string | undefined;
      continueText: string | undefined;
      hibernates: boolean;
    }
  | { kind: "stops"; reason: string; stateText: string; state: unknown; replyText: string | undefined }
  | { kind: "refuses"; reason: string }
  | { kind: "fails"; failure: TurnFailure };

class Failed extends Error {
  readonly failure: TurnFailure;
  constructor(failure: TurnFailure) {
    super(failure.detail);
    this.failure = failure;
  }
}

/** Starts a callback. What is returned may be a promise; `readTurn` takes what it settles to. */
export function invoke(
  module: ServerModule,
  callback: ReturningCallback,
  messageId: string,
  content: unknown,
  state: unknown,
  ctx: TurnContext,
): unknown {
  return currentTurn.run(ctx, () => {
    switch (callback) {
      case "init":
        return module.init(content, ctx);
      case "handleCall":
        return module.handleCall?.(content, { messageId }, state as never, ctx);
      case "handleCast":
        return module.handleCast?.(content, state as never, ctx);
      case "handleInfo":
        return module.handleInfo?.(content, state as never, ctx);
      case "handleContinue":
        return module.handleContinue?.(content, state as never, ctx);
    }
  });
}

/** Reads what a callback returned. */
export function readTurn(module: ServerModule, callback: ReturningCallback, returned: unknown): TurnResult {
  try {
    return toResult(module, callback, readReturn(module.name, callback, returned));
  } catch (error) {
    if (error instanceof Failed) return { kind: "fails", failure: error.failure };
    return failWith(module, callback, error);
  }
}

/** The outcome of a callback that threw. */
export function failWith(module: ServerModule, callback: string, error: unknown): TurnResult {
  if (error instanceof InvalidReturnError) {
    return { kind: "fails", failure: { code: "invalid_return", detail: error.message, stack: [] } };
  }
  const [what, stack] = describeError(error);
  return {
    kind: "fails",
    failure: { code: "callback_failed", detail: `${module.name}.${callback} threw ${what}`, stack },
  };
}

export function failWithTimeout(module: ServerModule, callback: string): TurnResult {
  const detail = `${module.name}.${callback} was not done within ${module.turnTimeoutMs} ms`;
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

function toResult(module: ServerModule, callback: ReturningCallback, settled: Settled): TurnResult {
  if (settled.kind === "refuse") return { kind: "refuses", reason: settled.reason };
  const stateText = toStateText(module, callback, settled.state);
  const replyText = settled.answer && toValueText(module, callback, "reply", settled.answer.reply);
  if (settled.kind === "stop")
    return { kind: "stops", reason: settled.reason, stateText, state: settled.state, replyText };
  const { next } = settled;
  const continues = typeof next === "object";
  return {
    kind: "goes-on",
    stateText,
    state: settled.state,
    replyText,
    continueText: continues ? toValueText(module, callback, "continuation", next.continue) : undefined,
    hibernates: next === "hibernate",
  };
}

function toStateText(module: ServerModule, callback: string, state: unknown): string {
  const text = toJson(state, "state_not_json", `${module.name}.${callback} returned a state`);
  if (text === undefined) {
    const detail = `${module.name}.${callback} returned a state that JSON cannot hold: ${typeof state}`;
    throw new Failed({ code: "state_not_json", detail, stack: [] });
  }
  checkSize(text, "state_too_large", `${module.name}.${callback} returned a state`);
  return text;
}

function toValueText(module: ServerModule, callback: string, what: "reply" | "continuation", value: unknown): string {
  const subject = `${module.name}.${callback} returned a ${what}`;
  const text = toJson(value, "reply_not_json", subject) ?? "null";
  checkSize(text, "reply_too_large", subject);
  return text;
}

function checkSize(text: string, code: ErrorCode, what: string): void {
  // A text has at most three bytes of UTF-8 per character.
  if (text.length * 3 <= MOST_STATE_BYTES || Buffer.byteLength(text) <= MOST_STATE_BYTES) return;
  const detail = `${what} of ${Buffer.byteLength(text)} bytes; at most ${MOST_STATE_BYTES} are kept`;
  throw new Failed({ code, detail, stack: [] });
}

function toJson(value: unknown, code: ErrorCode, what: string): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new Failed({
      code,
      detail: `${what} that JSON cannot hold: ${(error as Error).message.split("\n")[0]}`,
      stack: [],
    });
  }
}
