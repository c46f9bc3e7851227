/** What each step of a supervisor does. One is one turn; it leaves the list when it is done. */

import type { Context } from "../contract.ts";
import { startChild } from "./child-life.ts";
import { placeChild, SpecError } from "./child-spec.ts";
import {
  type Child,
  endStop,
  findChild,
  forgetChild,
  listRunning,
  noteRunning,
  noteStopped,
  type State,
  type Step,
  waitAtMost,
} from "./supervision.ts";

/** After a kill, for a child that is held back and so does not end. */
const KILLED_WITHIN_MS = 60_000;
const START_AGAIN_MS = 1_000;

type StepOf<Name extends Step["do"]> = Step & { do: Name };

/** Takes the first step. Says whether the supervisor is to end. */
export async function takeStep(state: State, ctx: Context): Promise<boolean> {
  const [step] = state.steps;
  if (!step) return false;
  switch (step.do) {
    case "start":
      await start(state, step, ctx);
      return false;
    case "stop":
      stop(state, step, ctx);
      return false;
    case "end":
      return true;
    default: {
      const steps = unfold(state, step, ctx);
      state.steps.splice(0, 1, ...steps);
      return false;
    }
  }
}

/** The steps that a step comes to. */
function unfold(state: State, step: Exclude<Step, StepOf<"start" | "stop" | "end">>, ctx: Context): Step[] {
  switch (step.do) {
    case "reply":
      ctx.reply(step.from, step.value);
      return [];
    case "restart":
      return restart(state, step, ctx);
    case "start_child":
      return startNew(state, step, ctx);
    default:
      return command(state, step);
  }
}

/** As OTP: the children that the strategy names are stopped, the last one first, and started again in their order. */
function restart(state: State, { id }: StepOf<"restart">, ctx: Context): Step[] {
  const child = findChild(state, id);
  // Another restart, or a caller, was there first.
  if (child?.status !== "restarting") return [];
  const now = ctx.now();
  const { maxRestarts, maxSeconds, children, strategy } = state;
  state.restarts = [...state.restarts.filter((at) => now - at <= maxSeconds * 1_000), now];
  if (state.restarts.length > maxRestarts) {
    ctx.log.error({ child: id, maxRestarts, maxSeconds }, "too many restarts: the supervisor gives up");
    return [...stopAll(listRunning(state)), { do: "end" }];
  }
  const first = strategy === "one-for-all" ? 0 : children.indexOf(child);
  const affected = strategy === "one-for-one" ? [child] : children.slice(first);
  const starts = affected.filter(({ spec }) => spec.restart !== "temporary").map(({ spec }) => spec.id);
  return [...stopAll(affected.filter(({ status }) => status === "running")), { do: "start", ids: starts }];
}

function stopAll(children: readonly Child[]): Step[] {
  return children.length === 0 ? [] : [{ do: "stop", ids: children.map(({ spec }) => spec.id).reverse() }];
}

function startNew(state: State, { spec, from }: StepOf<"start_child">, ctx: Context): Step[] {
  const answer = (value: unknown): Step[] => [{ do: "reply", from, value }];
  const there = findChild(state, spec.id);
  if (there?.status === "running") return answer({ error: "already_started", pid: there.spec.pid });
  if (there) return answer({ error: "already_present" });
  try {
    const others = state.children.map((child) => child.spec);
    state.children.push({ spec: placeChild(spec, ctx.key, others), status: "stopped" });
    return [{ do: "start", ids: [spec.id], from, isNew: true }];
  } catch (error) {
    if (error instanceof SpecError) return answer({ error: error.message });
    throw error;
  }
}

function command(state: State, step: StepOf<"terminate_child" | "restart_child" | "delete_child">): Step[] {
  const { id, from } = step;
  const answer = (value: unknown): Step => ({ do: "reply", from, value });
  const child = findChild(state, id);
  if (!child) return [answer({ error: "not_found" })];
  if (step.do === "terminate_child") {
    if (child.status === "running") return [{ do: "stop", ids: [id] }, answer("ok")];
    noteStopped(state, child);
    return [answer("ok")];
  }
  if (child.status !== "stopped") return [answer({ error: child.status })];
  if (step.do === "restart_child") return [{ do: "start", ids: [id], from }];
  forgetChild(state, child);
  return [answer("ok")];
}

/** Sends the first child its stop and waits for its DOWN; one that is not there is done with. */
function stop(state: State, step: StepOf<"stop">, ctx: Context): void {
  const child = findChild(state, step.ids[0] ?? "");
  if (child?.status !== "running") {
    endStop(state, step, undefined, ctx);
    return;
  }
  const { pid, shutdown } = child.spec;
  if (shutdown === "brutal-kill") {
    kill(step, child, ctx);
    return;
  }
  ctx.stop(pid, "shutdown");
  step.sent = "stop";
  if (shutdown !== "infinity") waitAtMost(shutdown, step, ctx);
}

function kill(step: StepOf<"stop">, { spec }: Child, ctx: Context): void {
  ctx.exit(spec.pid, "kill");
  step.sent = "kill";
  waitAtMost(KILLED_WITHIN_MS, step, ctx);
}

/** What a step waited for has not come, or it is time to try a start again. */
export function noteWaitOver(state: State, id: unknown, ctx: Context): void {
  const [step] = state.steps;
  if (step?.do === "start" && step.ids[0] === id) delete step.isPutOff;
  if (step?.do !== "stop" || !step.sent || step.ids[0] !== id) return;
  const child = findChild(state, id as string);
  const told = { child: id, stopping: child?.spec.pid };
  if (child && step.sent === "stop") {
    ctx.log.error(told, "a child did not stop in time and is killed");
    kill(step, child, ctx);
    return;
  }
  ctx.log.error(told, "a child that was killed does not end: it is left as it is");
  if (child?.ref) ctx.demonitor(child.ref);
  endStop(state, step, child, ctx);
}

async function start(state: State, step: StepOf<"start">, ctx: Context): Promise<void> {
  const id = step.ids[0] ?? "";
  const child = findChild(state, id);
  if (child && child.status !== "running") {
    const result = await startChild(child.spec, ctx);
    const isPutOff = result.kind === "unknown" || (result.kind === "homeless" && !step.from);
    if ("why" in result) {
      if (isPutOff) putOff(step, result.why, ctx);
      else noteNotStarted(state, step, child, result.why, ctx);
      return;
    }
    if (result.kind === "started") noteRunning(child, ctx);
    else noteStopped(state, child);
  }
  if (step.from) ctx.reply(step.from, { ok: child?.status === "running" ? child.spec.pid : null });
  step.ids.shift();
  if (step.ids.length === 0) state.steps.shift();
}

function putOff(step: StepOf<"start">, why: string, ctx: Context): void {
  ctx.log.warn({ child: step.ids[0], why }, "a child cannot be started now");
  step.isPutOff = true;
  waitAtMost(START_AGAIN_MS, step, ctx);
}

/** A failed restart is another restart, after other mail; the children behind it are started with that one. */
function noteNotStarted(state: State, step: StepOf<"start">, child: Child, why: string, ctx: Context): void {
  const { id, pid } = child.spec;
  state.steps.shift();
  ctx.log.error({ child: id, starting: pid, why }, "a child did not start");
  if (step.from) {
    ctx.reply(step.from, { error: why });
    if (step.isNew) forgetChild(state, child);
    return;
  }
  child.status = "restarting";
  ctx.sendAfter(0, { try_again: id });
}
