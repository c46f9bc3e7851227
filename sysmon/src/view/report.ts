/** A picture of the cluster → the lines that a terminal shows. Pure; what it is given is all it knows. */

import type { ClusterView, NodeView } from "@genserverless/shared/inspect/views.ts";
import { PROCESS_STATUSES } from "@genserverless/shared/process/status.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { formatBytes, formatSpan } from "@genserverless/shared/text/quantities.ts";
import { type Column, layTable } from "@genserverless/shared/text/table.ts";
import type { Picture } from "../watch.ts";

const NODE_COLUMNS: readonly Column[] = [
  { title: "ROLE" },
  { title: "NODE", atMost: 32 },
  { title: "HOST", atMost: 24 },
  { title: "PID", align: "right" },
  { title: "UP", align: "right" },
  { title: "SEEN", align: "right" },
  { title: "HELD", align: "right" },
  { title: "TURNS", align: "right" },
  { title: "MODULES" },
];

const ROLES = ["api", "worker", "gateway", "sysmon"];

/** What there is to say about Redis, in one line; it comes first, for it says whether the rest is news or history. */
export function describeRedis({ view, ageMs, away }: Picture): string {
  if (away && view) return `Redis is away: the last picture is ${formatSpan(ageMs)} old`;
  if (away || !view) return "Redis is away: waiting for it";
  const { version, usedMemoryBytes, maxMemoryBytes } = view.redis;
  const used = formatBytes(usedMemoryBytes);
  const memory = maxMemoryBytes > 0 ? `${used} of ${formatBytes(maxMemoryBytes)} used` : `${used} used, no limit`;
  return `Redis ${toPrintable(version)}, ${memory}`;
}

/** Three tables: processes by status, messages in mailboxes, nodes. */
export function reportCluster(view: ClusterView, ageMs: number, nowMs: number): string[] {
  return [
    ...reportCounts("PROCESSES", PROCESS_STATUSES, view.processes),
    "",
    ...reportCounts("MAILBOXES", ["waiting", "delayed", "failed"], view.mailbox),
    "",
    ...reportNodes(view.nodes, ageMs, nowMs),
  ];
}

function reportCounts<Name extends string>(
  title: string,
  names: readonly Name[],
  counts: Record<Name, number>,
): string[] {
  const total = names.reduce((sum, name) => sum + counts[name], 0);
  const columns = [title, ...names.map((name) => name.toUpperCase())];
  return layTable(
    columns.map((title) => ({ title, align: "right" })),
    [[total, ...names.map((name) => counts[name])].map(String)],
  );
}

function reportNodes(nodes: readonly NodeView[], ageMs: number, nowMs: number): string[] {
  if (nodes.length === 0) return ["no nodes"];
  return layTable(
    NODE_COLUMNS,
    nodes
      .toSorted(compareNodes)
      .map((node) => [
        node.role,
        toPrintable(node.name),
        toPrintable(node.host),
        String(node.osPid),
        formatSpan(nowMs - Date.parse(node.startedAt)),
        formatSpan(node.seenMsAgo + ageMs),
        String(node.held ?? "-"),
        String(node.turns ?? "-"),
        node.modules ? toPrintable(node.modules.join(" ")) : "-",
      ]),
  );
}

/** By role, then by name. */
export function compareNodes(a: NodeView, b: NodeView): number {
  return ROLES.indexOf(a.role) - ROLES.indexOf(b.role) || a.name.localeCompare(b.name) || a.id.localeCompare(b.id);
}
