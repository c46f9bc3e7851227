/**
 * Runs one callback in a web app: sends the envelope, answers what the callback waits for, sends it again, until it has come
 * to something; then has the turn do what it asked for. The state goes along only where the app does not have it.
 *
 * Nothing of it counts before the worker's own commit, under its lease. So an app that dies, hangs or answers nonsense fails
 * the turn and no more, and one that ran a callback whose answer was lost has changed nothing.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Return } from "genserverless/returns.ts";
import { ignore, noreply, ok, reply, stop } from "genserverless/returns.ts";
import type { TurnContext } from "genserverless/runtime/turn-context.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import { type EndpointAnswer, EndpointError } from "genserverless/web/endpoint.ts";
import type { RemoteApp } from "genserverless/web/remote-modules.ts";
import {
  type Answered,
  type Envelope,
  type RemoteCallback,
  type TurnAnswer,
  WIRE_VERSION,
} from "genserverless/web/wire.ts";
import { TurnGivenUp } from "../callbacks.ts";
import { readAnswer } from "./read-answer.ts";
import { RemoteFailure } from "./remote-failure.ts";
import { RemoteState } from "./remote-state.ts";
import { RemoteTurn } from "./remote-turn.ts";

/** The module of an app, as this worker knows it. */
export interface Remote {
  module: ServerModule;
  app: RemoteApp;
  /** Whether the worker has not learned another version of it meanwhile. */
  isCurrent(): boolean;
}

type State = { state: unknown } | undefined;

/** So much earlier than the worker would give up by itself, so that it is told who was late. */
const EARLIER = 0.95;
const AWAY_PAUSE_MS = 250;

const OUTCOMES: Record<RemoteCallback, readonly TurnAnswer["kind"][]> = {
  init: ["goes-on", "refuses", "ignores", "fails", "waits"],
  handleCall: ["goes-on", "stops", "fails", "waits"],
  handleCast: ["goes-on", "stops", "fails", "waits"],
  handleInfo: ["goes-on", "stops", "fails", "waits"],
  handleContinue: ["goes-on", "stops", "fails", "waits"],
  terminate: ["done", "fails", "waits"],
  codeChange: ["changed", "fails"],
};

/** Rejects with RemoteFailure, EffectError, TurnGivenUp or the reason of the turn's end. */
export async function invokeRemote(
  remote: Remote,
  callback: RemoteCallback,
  content: unknown,
  state: State,
  ctx: TurnContext,
): Promise<Return | undefined> {
  const endsAt = performance.now() + remote.module.turnTimeoutMs * EARLIER;
  const turn = new RemoteTurn(ctx);
  const { pid, messageId, attempt } = ctx;
  const { seed, time, ties } = turn;
  const about = { pid, messageId, attempt, time, seed, content: content ?? null, ...(ties && { ties }) };
  const answers: Answered[] = [];
  for (;;) {
    const asked = { ...envelopeOf(remote, callback, about), ...(answers.length > 0 && { answers }) };
    const answer = await exchange(remote, asked, state, endsAt, ctx.signal);
    ctx.signal.throwIfAborted();
    if (answer.kind !== "waits") return finish(answer, callback, turn);
    answers.push(...(await turn.answer(answer.questions)));
  }
}

/**
 * Rejects with RemoteFailure, and the process is quarantined then: so an app that is away, or a copy of it that has another
 * version, is asked again while there is time. Rejects with TurnGivenUp where this worker has learned another version meanwhile.
 */
export async function changeRemoteState(remote: Remote, fromVersion: number, state: unknown): Promise<unknown> {
  const endsAt = performance.now() + remote.module.turnTimeoutMs * EARLIER;
  const about = { pid: `${remote.module.name}/-` as const, messageId: "", attempt: 1, time: 0, seed: "" };
  const envelope = envelopeOf(remote, "codeChange", { ...about, content: fromVersion });
  for (;;) {
    try {
      return finishChange(remote, await exchange(remote, envelope, { state }, endsAt));
    } catch (error) {
      const isAway = error instanceof RemoteFailure && error.isAway;
      if (!isAway || performance.now() + AWAY_PAUSE_MS >= endsAt) throw error;
      await sleep(AWAY_PAUSE_MS);
    }
  }
}

function finishChange(remote: Remote, answer: TurnAnswer): unknown {
  if (answer.kind === "changed") return answer.state;
  if (answer.kind !== "fails") throw toFailure(remote, "codeChange", answer.kind);
  throw new RemoteFailure(answer.failure as RemoteFailure["failure"]);
}

type About = Omit<Envelope, "v" | "module" | "version" | "callback">;

function envelopeOf({ module }: Remote, callback: RemoteCallback, about: About): Envelope {
  return { v: WIRE_VERSION, module: module.name, version: module.version, callback, ...about };
}

async function exchange(
  remote: Remote,
  envelope: Envelope,
  state: State,
  endsAt: number,
  signal?: AbortSignal,
): Promise<TurnAnswer> {
  const send = (withState: object) => post(remote, { ...envelope, ...withState }, endsAt, signal);
  const known = state?.state instanceof RemoteState ? state.state : undefined;
  const isShort = known !== undefined;
  let { status, body } = await send(isShort ? { stateTag: known.tag } : (state ?? {}));
  if (isShort && status === 409 && codeOf(body) === "state_missing") ({ status, body } = await send({ state: known }));
  const { callback } = envelope;
  const isOther = status === 409 && codeOf(body) === "other_version";
  if (isOther) await giveUpIfOther(remote, callback);
  if (status !== 200) throw toFailure(remote, callback, `it answered ${status} ${codeOf(body)}`, isOther);
  const answer = readAnswer(body, OUTCOMES[callback]);
  if ("fault" in answer) throw toFailure(remote, callback, `its answer cannot be used: ${answer.fault}`);
  return answer;
}

async function post(
  remote: Remote,
  envelope: Envelope,
  endsAt: number,
  signal: AbortSignal | undefined,
): Promise<EndpointAnswer> {
  const withinMs = Math.max(1, Math.round(endsAt - performance.now()));
  const body = JSON.stringify(envelope);
  try {
    return await remote.app.endpoint.send({ method: "POST", body, withinMs, ...(signal && { signal }) });
  } catch (error) {
    if (!(error instanceof EndpointError)) throw error;
    const what = `${remote.module.name}.${envelope.callback}`;
    const code = error.isLate ? "callback_timeout" : "callback_failed";
    throw new RemoteFailure({ code, detail: `${what}: ${error.message}`, stack: [] }, true);
  }
}

/** The app has another version: once that is known here, the message is handled under it. */
async function giveUpIfOther(remote: Remote, callback: RemoteCallback): Promise<void> {
  try {
    await remote.app.refresh();
  } catch (error) {
    throw toFailure(remote, callback, (error as Error).message, true);
  }
  if (!remote.isCurrent()) throw new TurnGivenUp("its module has changed");
}

function finish(answer: TurnAnswer, callback: RemoteCallback, turn: RemoteTurn): Return | undefined {
  if ("logs" in answer) turn.log(answer.logs);
  if (answer.kind === "fails") {
    throw new RemoteFailure(answer.failure as RemoteFailure["failure"]);
  }
  if ("asks" in answer) turn.do(answer.asks);
  return toReturn(answer, callback);
}

/** What the callback has returned there. */
function toReturn(answer: TurnAnswer, callback: RemoteCallback): Return | undefined {
  if (answer.kind === "refuses") return stop(answer.reason);
  if (answer.kind === "ignores") return ignore();
  if (answer.kind === "stops") {
    const state = new RemoteState(answer.state, answer.stateTag);
    return answer.reply ? stop(answer.reason, answer.reply.value, state) : stop(answer.reason, state);
  }
  if (answer.kind !== "goes-on") return undefined;
  const state = new RemoteState(answer.state, answer.stateTag);
  if (answer.reply) return reply(answer.reply.value, state, answer.next);
  return callback === "init" ? ok(state, answer.next) : noreply(state, answer.next);
}

function toFailure({ module, app }: Remote, callback: RemoteCallback, what: string, isAway = false): RemoteFailure {
  const detail = `${module.name}.${callback} at ${app.endpoint.name}: ${what}`;
  return new RemoteFailure({ code: "callback_failed", detail, stack: [] }, isAway);
}

function codeOf(body: unknown): string {
  const { code } = (typeof body === "object" && body !== null ? body : {}) as { code?: unknown };
  return typeof code === "string" ? code.slice(0, 40) : "";
}
