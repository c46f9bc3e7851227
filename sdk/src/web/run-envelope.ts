/** Runs the callback that an envelope names, and says what it came to in the words of the wire. Never throws. */

import { ok } from "../returns.ts";
import { failWith, invoke, readState, readTurn, type TurnFailure, type TurnResult } from "../runtime/turn.ts";
import { TurnContext } from "../runtime/turn-context.ts";
import type { ServerModule } from "../server-module.ts";
import { type Halt, Recorder, toAsks } from "./recorder.ts";
import type { Envelope, LogLine, TurnAnswer } from "./wire.ts";

export interface Hosted {
  module: ServerModule;
  envelope: Envelope;
  /** JSON text; undefined before init. */
  stateText: string | undefined;
  /** How long the answer is of use. */
  leftMs: number;
}

/** An answer as JSON text, and the state in it, also as JSON text. `tag` names the state that is answered. */
export type WriteAnswer = (tag: string) => string;
export interface Outcome {
  stateText: string | undefined;
  write: WriteAnswer;
}

const LATE = Symbol("late");

export async function runEnvelope(hosted: Hosted): Promise<Outcome> {
  const { module, envelope } = hosted;
  const recorder = new Recorder(envelope);
  const { pid, messageId, attempt } = envelope;
  const ctx = new TurnContext({ pid, messageId, attempt }, recorder, recorder.ties, recorder.log);
  const { promise: late, resolve } = Promise.withResolvers<typeof LATE>();
  const timer = setTimeout(resolve, hosted.leftMs, LATE);
  try {
    const outcome = await Promise.race([run(hosted, ctx), recorder.halted, late]);
    const logs = recorder.lines.take();
    if (outcome === LATE) {
      const detail = `${module.name}.${envelope.callback} was not done within ${hosted.leftMs} ms`;
      return fail({ code: "callback_timeout", detail, stack: [] }, logs);
    }
    if (isHalt(outcome)) return halt(module, envelope, outcome, logs);
    return write(outcome, ctx, logs);
  } finally {
    clearTimeout(timer);
    ctx.seal("its callback has returned");
  }
}

type Done = { kind: "done" } | { kind: "changed"; stateText: string };

async function run({ module, envelope, stateText }: Hosted, ctx: TurnContext): Promise<TurnResult | Done> {
  const { callback, content } = envelope;
  try {
    if (callback === "codeChange") return await changeState(module, content as number, stateText ?? "null");
    const state = stateText === undefined ? undefined : readState(module, stateText);
    if (callback === "terminate") {
      await module.terminate?.(content as string, state as never, ctx);
      return { kind: "done" };
    }
    return readTurn(module, callback, await invoke(module, callback, content, state, ctx), content);
  } catch (error) {
    return failWith(module, callback, error, content);
  }
}

async function changeState(module: ServerModule, from: number, stateText: string): Promise<TurnResult | Done> {
  const state: unknown = await module.codeChange?.(from, JSON.parse(stateText));
  const result = readTurn(module, "init", ok(state));
  return result.kind === "goes-on" ? { kind: "changed", stateText: result.stateText } : result;
}

function isHalt(outcome: TurnResult | Done | Halt): outcome is Halt {
  return "questions" in outcome || "stray" in outcome;
}

function halt(module: ServerModule, { callback }: Envelope, why: Halt, logs: readonly LogLine[]): Outcome {
  if ("questions" in why) return plain({ kind: "waits", questions: why.questions });
  return fail({ code: "callback_failed", detail: `${module.name}.${callback}: ${why.stray}`, stack: [] }, logs);
}

function fail({ code, detail, stack }: TurnFailure, logs: readonly LogLine[]): Outcome {
  return plain({ kind: "fails", failure: { code, detail, stack }, logs });
}

function plain(answer: TurnAnswer): Outcome {
  return { stateText: undefined, write: () => JSON.stringify({ v: 1, ...answer }) };
}

function write(result: TurnResult | Done, ctx: TurnContext, logs: readonly LogLine[]): Outcome {
  if (result.kind === "fails") return fail(result.failure, logs);
  if (result.kind === "changed") {
    const { stateText } = result;
    return { stateText: undefined, write: () => `{"v":1,"kind":"changed","state":${stateText}}` };
  }
  const asked = { asks: toAsks(ctx.effects), logs };
  if (result.kind === "refuses") return plain({ kind: "refuses", reason: result.reason, ...asked });
  if (result.kind === "ignores" || result.kind === "done") return plain({ kind: result.kind, ...asked });
  const { stateText, replyText } = result;
  const reply = replyText === undefined ? "" : `,"reply":{"value":${replyText}}`;
  const more = result.kind === "stops" ? `,"reason":${JSON.stringify(result.reason)}` : writeNext(result);
  // State and reply are JSON already, and may be large.
  return {
    stateText,
    write: (tag) =>
      `{"v":1,"kind":"${result.kind}","stateTag":"${tag}","state":${stateText}${reply}${more},${JSON.stringify(asked).slice(1)}`,
  };
}

function writeNext({ continueText, timeoutMs, hibernates }: TurnResult & { kind: "goes-on" }): string {
  if (continueText !== undefined) return `,"next":{"continue":${continueText}}`;
  if (timeoutMs !== undefined) return `,"next":{"timeout":${timeoutMs}}`;
  return hibernates ? `,"next":"hibernate"` : "";
}
