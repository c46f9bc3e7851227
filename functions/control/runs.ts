/**
 * The runs of a cron or event function, as values.
 *
 *     due ──► running ──► completed | failed | timeout | died | not_started
 *      └────► skipped     the one before was still under way, and ticks are not made up for
 *
 * A run has the id of the message that made it due, so a turn that runs again makes the same run due, and the functions
 * service, which begins each id once, runs it once.
 */

import type { FunctionRun, FunctionState } from "@genserverless/shared/functions/processes.ts";

const MOST_ENDED = 20;
/** More than these are not kept for later: what comes then is skipped. */
const MOST_ACTIVE = 1_000;

export const NO_RUNS: FunctionState = { active: [], ended: [], counts: {} };

/** A run more, or one that is skipped. */
export function makeDue(state: FunctionState, run: Pick<FunctionRun, "id" | "dueAt" | "event">): FunctionState {
  const { active, counts } = state;
  const due: FunctionRun = { ...run, status: "due" };
  const counted = { ...state, counts: count(counts, "due") };
  return mayWait(state) ? { ...counted, active: [...active, due] } : end(counted, { ...due, status: "skipped" });
}

/** Whether another run may be due now. Of a cron function that does not overlap, one may wait, or all, or none. */
function mayWait({ active, target }: FunctionState): boolean {
  if (active.length >= MOST_ACTIVE) return false;
  const spec = target?.spec;
  if (spec?.type !== "cron" || spec.overlap || spec.missed === "all") return true;
  return active.length < (spec.missed === "once" ? 2 : 1);
}

/** Those that may begin now: as many as may run at once. */
export function findStartable({ active, target }: FunctionState): FunctionRun[] {
  if (!target) return [];
  const { type, overlap, concurrency } = target.spec;
  const most = type === "cron" && !overlap ? 1 : concurrency;
  return active.slice(0, most).filter(({ status }) => status === "due");
}

export function findRunning({ active }: FunctionState): FunctionRun[] {
  return active.filter(({ status }) => status === "running");
}

/** The state with what became of a run. */
export function note(state: FunctionState, run: FunctionRun): FunctionState {
  const isOver = run.status !== "due" && run.status !== "running";
  const others = state.active.filter(({ id }) => id !== run.id);
  if (isOver) return end({ ...state, active: others }, run);
  return { ...state, active: state.active.map((each) => (each.id === run.id ? run : each)) };
}

function end(state: FunctionState, { event: _event, ...run }: FunctionRun): FunctionState {
  const ended = [run, ...state.ended].slice(0, MOST_ENDED);
  return { ...state, ended, counts: count(state.counts, run.status) };
}

function count(counts: FunctionState["counts"], status: FunctionRun["status"]): FunctionState["counts"] {
  return { ...counts, [status]: (counts[status] ?? 0) + 1 };
}
