/** The processes tab: one page of them, and which of them is chosen. */

import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { type GridColumn, layGrid } from "./grid.ts";
import { fillLine, type Line, line, type Span, span, type Tone, tint } from "./line.ts";
import type { Model, ProcessesModel, ProcessRow } from "./model.ts";
import { formatNumber } from "./numbers.ts";

const COLUMNS: readonly GridColumn[] = [
  { title: "PID", least: 16 },
  { title: "STATUS", goes: 1 },
  { title: "OWNER", atMost: 32, least: 12, goes: 4 },
  { title: "MAIL", align: "right", goes: 2 },
  { title: "FAILED", align: "right", goes: 5 },
  { title: "TURNS", align: "right", goes: 7 },
  { title: "/S", align: "right", goes: 3 },
  { title: "LAST ERROR", least: 10, goes: 6 },
];

/** Rows of the tab that are not the list's. */
export const PROCESSES_HEAD_ROWS = 2;

const STATUS_TONES: Record<string, Tone> = {
  running: "good",
  starting: "accent",
  paused: "warn",
  quarantined: "bad",
  stopped: "quiet",
};

export function viewProcesses({ processes }: Model, width: number, height: number): Line[] {
  const head = describeList(processes);
  if (processes.rows.length === 0) return [head, line(whyEmpty(processes), "quiet")];
  const grid = layGrid(COLUMNS, processes.rows.map(describeRow), width);
  // A row is needed more than what stands above it.
  const heads = height > PROCESSES_HEAD_ROWS ? [head, grid.head] : [];
  const room = Math.max(1, height - heads.length);
  const from = Math.max(0, Math.min(processes.chosen - Math.floor(room / 2), grid.rows.length - room));
  const rows = grid.rows.map((row, index) =>
    index === processes.chosen ? fillLine(tint(row, "chosen"), width, "chosen") : row,
  );
  return [...heads, ...rows.slice(from, from + room)];
}

export function toneOfStatus(status: string): Tone {
  return STATUS_TONES[status] ?? "plain";
}

function describeList({ isBusiest, page, hasNext, filter, sort, error }: ProcessesModel): Line {
  const what = isBusiest
    ? "the busiest of the last beat"
    : `page ${page}${hasNext ? ", n for the next" : ", the last"}`;
  return [
    span(what, "quiet"),
    span(`  sort ${sort}`, "quiet"),
    ...(filter ? [span("  filter "), span(toPrintable(filter), "accent")] : []),
    ...(error ? [span(`  ${toPrintable(error)}`, "bad")] : []),
  ];
}

function whyEmpty({ isLoaded, isBusiest, filter, hasNext }: ProcessesModel): string {
  if (!isLoaded) return "reading…";
  if (isBusiest) return "no process has had a turn in the last beat";
  if (hasNext) return "none among those looked at; n looks on";
  return filter ? "no process matches" : "no processes";
}

function describeRow(row: ProcessRow): Span[] {
  const { waiting, delayed, failed } = row.mailbox;
  return [
    span(toPrintable(row.pid), "strong"),
    span(row.status, toneOfStatus(row.status)),
    span(toPrintable(row.owner?.replace(/#.*/, "") ?? "-")),
    span(delayed > 0 ? `${waiting}+${delayed}` : String(waiting)),
    span(String(failed), failed > 0 ? "warn" : "plain"),
    span(formatNumber(row.turns)),
    span(formatNumber(row.turnsPerS)),
    span(toPrintable(row.reason ?? row.lastError ?? ""), "bad"),
  ];
}
