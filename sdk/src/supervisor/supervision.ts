/**
 * What a supervisor knows and what it has still to do. All of it is its state, so that whoever runs its next turn goes on
 * where the last commit left it.
 *
 * Work is a list of steps. Each is a turn of its own, run by handleContinue, which nothing else comes between; a step that
 * asks for a start asks under the same id when its turn runs again. Only where a child is to stop, or a start is to be
 * tried again later, the list waits: for the child's DOWN or for a timer, and other mail is handled meanwhile.
 *
 * A child is `running`, `restarting` (it ended and is to be started again) or `stopped`. Where its DOWN comes, its restart
 * type says which; a temporary child is forgotten.
 */

import type { Context, From } from "../contract.ts";
import { type Next, noreply } from "../returns.ts";
import type { FullSpec, FullSupervision, PlacedSpec } from "./child-spec.ts";

export interface Child {
  spec: PlacedSpec;
  status: "running" | "restarting" | "stopped";
  /** The monitor, while it is running. */
  ref?: string;
}

export type Step =
  | { do: "start_child"; spec: FullSpec; from: From }
  | { do: "terminate_child" | "restart_child" | "delete_child"; id: string; from: From }
  /** A child is restarted, and with it whom the strategy says. */
  | { do: "restart"; id: string }
  /** The first first; `sent` while its DOWN is waited for. */
  | { do: "stop"; ids: string[]; sent?: "stop" | "kill" }
  /** The first first. With `from` that caller is answered, and a new child whose start fails is forgotten. */
  | { do: "start"; ids: string[]; isPutOff?: boolean; from?: From; isNew?: boolean }
  | { do: "reply"; from: From; value: unknown }
  | { do: "end" };

export interface State extends Omit<FullSupervision, "children"> {
  /** In the order of their starts. */
  children: Child[];
  /** When restarts happened, in ms since the epoch, as far as they still count. */
  restarts: number[];
  steps: Step[];
}

/** Takes up the steps again should their turns have been given up: after three deaths of its nodes no turn is run again. */
const STEP_TIMER = "steps";
const STEP_AGAIN_MS = 60_000;

/** One wait at a time: only the first step waits. */
const WAIT_TIMER = "wait";

export function findChild({ children }: State, id: string): Child | undefined {
  return children.find(({ spec }) => spec.id === id);
}

export function forgetChild(state: State, { spec }: Child): void {
  state.children = state.children.filter((other) => other.spec.id !== spec.id);
}

export function listRunning({ children }: State): Child[] {
  return children.filter(({ status }) => status === "running");
}

export function noteRunning(child: Child, ctx: Context): void {
  child.status = "running";
  child.ref = ctx.monitor(child.spec.pid);
}

/** The child has ended because it was to. */
export function noteStopped(state: State, child: Child): void {
  child.status = "stopped";
  delete child.ref;
  if (child.spec.restart === "temporary") forgetChild(state, child);
}

/** Goes on with the steps, where there are any and nothing is waited for. */
export function goOn(state: State, ctx: Context) {
  const [step] = state.steps;
  if (!step || isWaiting(step)) {
    ctx.cancel(STEP_TIMER);
    return noreply(state);
  }
  ctx.sendAfter(STEP_AGAIN_MS, "go_on", { name: STEP_TIMER });
  return noreply(state, { continue: step.do } as Next);
}

function isWaiting(step: Step): boolean {
  return (step.do === "stop" && step.sent !== undefined) || (step.do === "start" && step.isPutOff === true);
}

/** A monitored child has ended. */
export function noteDown(state: State, { ref, reason }: { ref: string; reason: string }, ctx: Context): void {
  const child = state.children.find((one) => one.ref === ref);
  if (!child) return;
  const { id, pid, restart } = child.spec;
  const [step] = state.steps;
  if (step?.do === "stop" && step.sent && step.ids[0] === id) {
    endStop(state, step, child, ctx);
    return;
  }
  const isRestarted = restart === "permanent" || (restart === "transient" && !isNormal(reason));
  ctx.log.warn({ child: id, ended: pid, reason, restarts: isRestarted }, "a child has ended");
  noteStopped(state, child);
  if (!isRestarted) return;
  child.status = "restarting";
  state.steps.push({ do: "restart", id });
}

/** The first child of a stop step is gone, or given up. */
export function endStop(state: State, step: Step & { do: "stop" }, child: Child | undefined, ctx: Context): void {
  if (step.sent) ctx.cancel(WAIT_TIMER);
  delete step.sent;
  if (child) noteStopped(state, child);
  step.ids.shift();
  if (step.ids.length === 0) state.steps.shift();
}

/** Ends the wait of a step after `ms`, unless what it waits for comes before. */
export function waitAtMost(ms: number, step: Step & { do: "stop" | "start" }, ctx: Context): void {
  ctx.sendAfter(ms, { wait_over: step.ids[0] }, { name: WAIT_TIMER });
}

function isNormal(reason: string): boolean {
  return reason === "normal" || reason === "shutdown" || reason.startsWith("shutdown:");
}

/** OTP's answer, in the order of the starts. */
export function listChildren({ children }: State) {
  return children.map(({ spec, status }) => ({
    id: spec.id,
    child: status === "running" ? spec.pid : status === "restarting" ? "restarting" : null,
    type: spec.type,
    modules: [spec.start.module],
  }));
}

export function countChildren(state: State) {
  const { children } = state;
  const supervisors = children.filter(({ spec }) => spec.type === "supervisor").length;
  const workers = children.length - supervisors;
  return { specs: children.length, active: listRunning(state).length, supervisors, workers };
}
