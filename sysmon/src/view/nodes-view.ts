/** The nodes tab: how the cluster does, and who is in it. */

import type { NodeView } from "@genserverless/shared/inspect/views.ts";
import { runsProcesses } from "@genserverless/shared/process/role.ts";
import { PROCESS_STATUSES } from "@genserverless/shared/process/status.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { formatSpan } from "@genserverless/shared/text/quantities.ts";
import type { Beat } from "../history.ts";
import { type GridColumn, layGrid } from "./grid.ts";
import { type Line, line, type Span, scroll, span, type Tone } from "./line.ts";
import type { Model } from "./model.ts";
import { formatMs, formatNumber } from "./numbers.ts";
import { compareNodes } from "./report.ts";
import { sparkline } from "./sparkline.ts";

const COLUMNS: readonly GridColumn[] = [
  { title: "ROLE", goes: 1 },
  { title: "NODE", atMost: 40, least: 14 },
  { title: "HOST", atMost: 20, least: 8, goes: 5 },
  { title: "LOAD", align: "right", goes: 3 },
  { title: "HELD", align: "right", goes: 2 },
  { title: "/S", align: "right", goes: 1 },
  { title: "P99", align: "right", goes: 6 },
  { title: "LAG", align: "right", goes: 4 },
  { title: "SEEN", align: "right", goes: 1 },
  { title: "UP", align: "right", goes: 7 },
  { title: "FAILED", align: "right", goes: 8 },
  { title: "MODULES", least: 10, goes: 9 },
];

const LABEL_COLUMNS = 26;
/** Rows that the table gets at least before a chart is drawn. */
const TABLE_ROWS = 6;

export function viewNodes(model: Model, width: number, height: number): Line[] {
  const { view, ageMs } = model.picture;
  if (!view) return [];
  const nodes = view.nodes.toSorted(compareNodes);
  const { head, rows } = layGrid(
    COLUMNS,
    nodes.map((node) => describeNode(node, ageMs, model.nowMs)),
    width,
  );
  const charts = viewCharts(model, width);
  const top = height >= charts.length + TABLE_ROWS ? charts : [];
  if (rows.length === 0) return [...top, line("no nodes", "quiet")];
  return [...top, head, ...scroll(rows, model.nodesTop, height - top.length - 1)];
}

function viewCharts({ history, picture }: Model, width: number): Line[] {
  const columns = Math.max(0, width - LABEL_COLUMNS);
  const last = history.at(-1);
  const chart = (label: string, value: string, tone: Tone, pick: (point: Beat) => number | undefined): Line => [
    span(label.padEnd(10), "quiet"),
    span(value.padStart(LABEL_COLUMNS - 12), "strong"),
    span("  "),
    span(sparkline(history.map(pick), columns), tone),
  ];
  return [
    viewCounts(picture.view?.processes),
    chart("turns/s", formatNumber(last?.turnsPerS), "good", ({ turnsPerS }) => turnsPerS),
    chart("requests/s", formatNumber(last?.requestsPerS), "good", ({ requestsPerS }) => requestsPerS),
    chart("call p50", formatMs(last?.p50Ms), "accent", ({ p50Ms }) => p50Ms),
    chart("call p99", formatMs(last?.p99Ms), "accent", ({ p99Ms }) => p99Ms),
    chart("mailboxes", formatNumber(last?.waiting), "warn", ({ waiting }) => waiting),
    line(""),
  ];
}

function viewCounts(counts: Record<string, number> | undefined): Line {
  return PROCESS_STATUSES.flatMap((status) => [
    span(`${status} `, "quiet"),
    span(`${counts?.[status] ?? 0}  `, status === "quarantined" && counts?.[status] ? "bad" : "plain"),
  ]);
}

function describeNode(node: NodeView, ageMs: number, nowMs: number): Span[] {
  const seenMs = node.seenMsAgo + ageMs;
  return [
    span(node.role, runsProcesses(node.role) ? "good" : "accent"),
    span(toPrintable(node.name), "strong"),
    span(toPrintable(node.host)),
    span(node.load === undefined ? "-" : `${Math.round(node.load * 100)}%`, toneOf(node.load, 0.7, 0.95)),
    span(formatNumber(node.held)),
    span(formatNumber(node.rate)),
    span(formatMs(node.latency?.p99Ms)),
    span(formatMs(node.lagMs), toneOf(node.lagMs, 100, 1000)),
    span(formatSpan(seenMs), toneOf(seenMs, 4_000, 6_000)),
    span(formatSpan(nowMs - Date.parse(node.startedAt))),
    span(formatNumber(node.failures), node.failures ? "warn" : "plain"),
    span(toPrintable(node.modules?.join(" ") ?? "-")),
  ];
}

function toneOf(value: number | undefined, warn: number, bad: number): Tone {
  if (value === undefined || value < warn) return "plain";
  return value < bad ? "warn" : "bad";
}
