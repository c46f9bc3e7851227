/** functions: those that are deployed here with their figures, and the runs of one. */

import type { FunctionView, RunView } from "@genserverless/shared/functions/views.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { formatSpan } from "@genserverless/shared/text/quantities.ts";
import type { Column } from "@genserverless/shared/text/table.ts";
import type { Command } from "commander";
import type { Session } from "../session.ts";
import { addExamples, type Run } from "./command.ts";
import { whenOf } from "./projects.ts";

const FUNCTIONS: readonly Column[] = [
  { title: "FUNCTION", atMost: 60 },
  { title: "TYPE" },
  { title: "INVOKED", align: "right" },
  { title: "FAILED", align: "right" },
  { title: "TIMEOUTS", align: "right" },
  { title: "REFUSED", align: "right" },
  { title: "MEAN", align: "right" },
  { title: "COLD", align: "right" },
  { title: "LAST COLD", align: "right" },
  { title: "BUSY", align: "right" },
  { title: "WARM", align: "right" },
  { title: "WAITING", align: "right" },
  { title: "NEXT", align: "right" },
];
const RUNS: readonly Column[] = [
  { title: "RUN", atMost: 40 },
  { title: "DUE" },
  { title: "STATUS" },
  { title: "TOOK", align: "right" },
  { title: "COLD" },
  { title: "ERROR", atMost: 80 },
];

export function addFunctions(program: Command, run: Run): void {
  const functions = program
    .command("functions")
    .description("The functions that are deployed here, with their figures; of one, what it waits for and its runs.")
    .argument("[project]", "only those of this project")
    .argument("[function]", "only this one")
    .action(run(showFunctions));
  addExamples(functions, "functions", "functions alice-shop", "functions alice-shop Ticker", "functions --json");
}

async function showFunctions(session: Session, project?: string, name?: string): Promise<void> {
  if (project !== undefined && name !== undefined) return showFunction(session, project, name);
  const { functions, output } = session;
  const all = await functions.listFunctions();
  const shown = all.filter((one) => project === undefined || one.project === project);
  // Whether there is such a project at all.
  if (project !== undefined && shown.length === 0) await functions.findProject(project);
  output.table(shown, FUNCTIONS, describeFunction, "no functions");
}

async function showFunction({ functions, output, settings }: Session, project: string, name: string): Promise<void> {
  const view = await functions.findFunction(project, name);
  const { runs = [] } = view;
  output.answer(view, () => [
    ...output.layTable(FUNCTIONS, [describeFunction(view)]),
    "",
    toPrintable(`${view.type}: ${whenOf(view, settings.url)}`),
    ...(runs.length > 0 ? ["", ...output.layTable(RUNS, runs.map(describeRun))] : []),
  ]);
}

function describeFunction(view: FunctionView): string[] {
  const { invocations, failures, timeouts, refused, meanMs, coldStarts, lastColdStartMs, sandboxes, nextAt } = view;
  const next = nextAt === undefined ? "-" : formatSpan(Math.max(0, Date.parse(nextAt) - Date.now()));
  return [
    toPrintable(`${view.project}/${view.name}`),
    view.type,
    ...[invocations, failures, timeouts, refused].map(String),
    tellMs(meanMs),
    String(coldStarts),
    tellMs(lastColdStartMs),
    ...[sandboxes.busy, sandboxes.warm, sandboxes.waiting].map(String),
    next,
  ];
}

function describeRun({ id, dueAt, status, durationMs, coldStart, error }: RunView): string[] {
  const cold = coldStart === undefined ? "-" : coldStart ? "yes" : "no";
  return [toPrintable(id), toPrintable(dueAt), status, tellMs(durationMs), cold, toPrintable(error ?? "-")];
}

function tellMs(ms: number | undefined): string {
  return ms === undefined ? "-" : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
