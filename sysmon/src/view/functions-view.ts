/** The functions tab: every project with its functions, and which of these is chosen; or one of them, where it is open. */

import type { FunctionView } from "@genserverless/shared/functions/views.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import type { FunctionsView, ListedProject } from "../functions.ts";
import { describeNext, describeTrigger, shortenCommit, viewFunction } from "./function-view.ts";
import { type GridColumn, layGrid } from "./grid.ts";
import { fillLine, type Line, line, type Span, scroll, span, type Tone, tint } from "./line.ts";
import type { FunctionsModel, Model } from "./model.ts";
import { formatMs, formatNumber } from "./numbers.ts";

const COLUMNS: readonly GridColumn[] = [
  { title: "FUNCTION", least: 14 },
  { title: "TYPE", goes: 1 },
  { title: "WHEN", atMost: 24, least: 11, goes: 6 },
  { title: "NEXT", align: "right", goes: 5 },
  { title: "RUNS", align: "right", goes: 1 },
  { title: "FAILED", align: "right", goes: 2 },
  { title: "TIMEOUTS", align: "right", goes: 7 },
  { title: "COLD", align: "right", goes: 8 },
  { title: "MEAN", align: "right", goes: 3 },
  { title: "WARM", align: "right", goes: 9 },
  { title: "BUSY", align: "right", goes: 4 },
  { title: "WAITING", align: "right", goes: 4 },
];

/** Rows of the tab that are not the list's. */
const HEAD_ROWS = 2;
const STATUS_TONES: Record<string, Tone> = { ready: "good", building: "accent", failed: "bad" };

export function viewFunctions({ functions, nowMs }: Model, width: number, height: number): Line[] {
  const { page, view, error } = functions;
  if (page) return viewFunction(page, nowMs, height);
  if (!view) return [error ? line(toPrintable(error), "warn") : line("reading…", "quiet")];
  if (view.projects.length === 0) return [describeTotals(view, error), line("no project is deployed", "quiet")];
  return viewList(functions, view, nowMs, width, height);
}

function viewList(
  { chosen, error }: FunctionsModel,
  view: FunctionsView,
  nowMs: number,
  width: number,
  height: number,
) {
  const all = view.projects.flatMap(({ functions }) => functions);
  const grid = layGrid(
    COLUMNS,
    all.map((each) => describeFunction(each, nowMs)),
    width,
  );
  const marked = grid.rows.map((row, index) =>
    index === chosen ? fillLine(tint(row, "chosen"), width, "chosen") : row,
  );
  const shown = chosen < 0 ? undefined : marked[chosen];
  const rows = view.projects.flatMap((project) => [
    describeProject(project),
    ...marked.splice(0, project.functions.length),
  ]);
  // A row is needed more than what stands above it.
  const heads = height > HEAD_ROWS ? [describeTotals(view, error), grid.head] : [];
  const room = Math.max(1, height - heads.length);
  const at = shown ? rows.indexOf(shown) : 0;
  return [...heads, ...scroll(rows, at - Math.floor(room / 2), room)];
}

function describeTotals({ projects, sandboxes }: FunctionsView, error: string | undefined): Line {
  const functions = projects.reduce((sum, project) => sum + project.functions.length, 0);
  return [
    span(`${projects.length} projects  ${functions} functions  `, "quiet"),
    span(`sandboxes ${formatNumber(sandboxes.warm)} warm, ${formatNumber(sandboxes.busy)} busy`, "quiet"),
    ...(error ? [span(`  ${toPrintable(error)}`, "bad")] : []),
  ];
}

function describeProject({ name, status, current, commit, repository }: ListedProject): Line {
  const deployed = current === undefined ? "not deployed yet" : `deployment ${current}`;
  return [
    span(`${toPrintable(name)}  `, "strong"),
    span(toPrintable(status), STATUS_TONES[status] ?? "plain"),
    span(`  ${deployed}  ${shortenCommit(commit)}  `),
    span(toPrintable(repository), "quiet"),
  ];
}

function describeFunction(each: FunctionView, nowMs: number): Span[] {
  const { name, type, invocations, failures, timeouts, coldStarts, meanMs, sandboxes } = each;
  return [
    span(`  ${toPrintable(name)}`, "strong"),
    span(toPrintable(type)),
    span(describeTrigger(each)),
    span(describeNext(each, nowMs)),
    span(formatNumber(invocations)),
    span(formatNumber(failures), failures > 0 ? "warn" : "plain"),
    span(formatNumber(timeouts), timeouts > 0 ? "warn" : "plain"),
    span(formatNumber(coldStarts)),
    span(formatMs(meanMs)),
    span(formatNumber(sandboxes.warm)),
    span(formatNumber(sandboxes.busy), sandboxes.busy > 0 ? "good" : "plain"),
    span(formatNumber(sandboxes.waiting), sandboxes.waiting > 0 ? "warn" : "plain"),
  ];
}
