/** One function, where the functions tab has it open: its figures, its last runs, and below them its log, which goes on. */

import type { FunctionView, LogLine, RunView } from "@genserverless/shared/functions/views.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { formatSpan } from "@genserverless/shared/text/quantities.ts";
import { type Line, line, span, type Tone } from "./line.ts";
import type { FunctionPageModel } from "./model.ts";
import { formatMs, formatNumber } from "./numbers.ts";

/** With its head. */
const LEAST_LOG_ROWS = 8;
const LOG_HEAD_ROWS = 2;
const MOST_RUNS = 10;
const COMMIT_CHARACTERS = 8;
const RUN_TONES: Record<string, Tone> = {
  completed: "good",
  running: "accent",
  failed: "bad",
  timeout: "bad",
  died: "bad",
  not_started: "bad",
  skipped: "warn",
};
const STREAM_TONES: Record<string, Tone> = { stderr: "warn", service: "accent" };

/** At most `height` lines, of which the log has what the rest leaves. */
export function viewFunction(page: FunctionPageModel, nowMs: number, height: number): Line[] {
  const above = describeAbove(page, nowMs, height);
  return [...above, ...viewLines(page, countLogRows(page, height))].slice(0, height);
}

/** How many lines of the log are seen. */
export function countLogRows(page: FunctionPageModel, height: number): number {
  return Math.max(1, height - describeAbove(page, 0, height).length - LOG_HEAD_ROWS);
}

function describeAbove(page: FunctionPageModel, nowMs: number, height: number): Line[] {
  const facts = describeFacts(page, nowMs);
  return [...facts, ...describeRuns(page.view?.runs ?? [], nowMs, height - facts.length - LEAST_LOG_ROWS)];
}

export function shortenCommit(commit: string | undefined): string {
  return toPrintable(commit?.slice(0, COMMIT_CHARACTERS) ?? "");
}

/** What makes it run. */
export function describeTrigger({ schedule, topic }: FunctionView): string {
  return toPrintable(schedule ?? (topic === undefined ? "on request" : `topic ${topic}`));
}

/** How long until its next run. */
export function describeNext({ nextAt }: FunctionView, nowMs: number): string {
  return nextAt === undefined ? "-" : formatSpan(Date.parse(nextAt) - nowMs);
}

function describeFacts({ project, name, view, error }: FunctionPageModel, nowMs: number): Line[] {
  const trouble = error ? [line(toPrintable(error), "bad")] : [];
  const title = span(toPrintable(`${project}/${name}`), "strong");
  if (!view) return [[title], ...trouble, ...(error ? [] : [line("reading…", "quiet")])];
  const { type, commit, timezone, nextAt, timeoutMs, memoryMb, concurrency, keepWarm, sandboxes } = view;
  const next = nextAt === undefined ? "" : `  next in ${describeNext(view, nowMs)}`;
  return [
    [title, span(toPrintable(`  ${type}  ${describeTrigger(view)} ${timezone ?? ""}${next}`))],
    line(
      `commit ${shortenCommit(commit)}  timeout ${formatSpan(timeoutMs)}  memory ${formatNumber(memoryMb)} MB  ` +
        `concurrency ${formatNumber(concurrency)}  kept warm ${formatNumber(keepWarm)}`,
    ),
    line(describeFigures(view)),
    line(`sandboxes ${sandboxes.warm} warm, ${sandboxes.busy} busy, ${sandboxes.waiting} waiting`),
    ...trouble,
  ];
}

function describeFigures(view: FunctionView): string {
  const { invocations, failures, timeouts, refused, coldStarts, lastColdStartMs, meanMs } = view;
  const last = lastColdStartMs === undefined ? "" : `, the last ${formatMs(lastColdStartMs)}`;
  const counts = `runs ${invocations}  failed ${failures}  timeouts ${timeouts}  refused ${refused}`;
  return `${counts}  cold starts ${coldStarts}${last}  mean ${formatMs(meanMs)}`;
}

/** The newest first, as many as `height` holds with their title and the row below. */
function describeRuns(runs: readonly RunView[], nowMs: number, height: number): Line[] {
  const shown = runs.slice(0, Math.max(0, Math.min(MOST_RUNS, height - 2)));
  return shown.length > 0
    ? [line(""), line("LAST RUNS", "strong"), ...shown.map((run) => describeRun(run, nowMs))]
    : [];
}

function describeRun({ dueAt, status, durationMs, coldStart, error }: RunView, nowMs: number): Line {
  const took = durationMs === undefined ? "" : formatMs(durationMs);
  return [
    span(`  due ${formatSpan(nowMs - Date.parse(dueAt))} ago  `.padEnd(18), "quiet"),
    span(toPrintable(status).padEnd(11), RUN_TONES[status] ?? "plain"),
    span(` ${took}${coldStart ? "  cold" : ""}  `),
    span(toPrintable(error ?? ""), "bad"),
  ];
}

/** What was written last stands at the bottom. */
function viewLines({ lines, back }: FunctionPageModel, room: number): Line[] {
  const end = Math.max(Math.min(room, lines.length), lines.length - back);
  const state = back > 0 ? span(`${back} back`, "warn") : span("live", "good");
  const head = [line(""), [span("LOG  ", "strong"), state]];
  if (lines.length === 0) return [...head, line("  nothing yet", "quiet")];
  return [...head, ...lines.slice(Math.max(0, end - room), end).map(describeLine)];
}

function describeLine({ at, stream, text }: LogLine): Line {
  return [
    span(`${new Date(at).toISOString().slice(11, 19)} `, "quiet"),
    span(`${toPrintable(stream).padEnd(8)}`, STREAM_TONES[stream] ?? "quiet"),
    span(toPrintable(text), STREAM_TONES[stream] ?? "plain"),
  ];
}
