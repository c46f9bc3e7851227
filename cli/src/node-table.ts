/** Nodes as rows. What a node does not tell is `-`. */

import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { formatSpan } from "@genserverless/shared/text/quantities.ts";
import type { Column } from "@genserverless/shared/text/table.ts";
import type { NodeView } from "genserverless/client";

export const NODE_COLUMNS: readonly Column[] = [
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

export const WORK_COLUMNS: readonly Column[] = [
  { title: "ROLE" },
  { title: "NODE", atMost: 24 },
  { title: "LOAD", align: "right" },
  { title: "LAG", align: "right" },
  { title: "HELD", align: "right" },
  { title: "RATE", align: "right" },
  { title: "P50", align: "right" },
  { title: "P99", align: "right" },
  { title: "WAIT", align: "right" },
  { title: "FAILED", align: "right" },
];

const ROLES = ["api", "worker", "gateway", "sysmon"];

export function byRole(a: NodeView, b: NodeView): number {
  return ROLES.indexOf(a.role) - ROLES.indexOf(b.role) || a.name.localeCompare(b.name) || a.id.localeCompare(b.id);
}

export function describeNode(node: NodeView): string[] {
  return [
    node.role,
    toPrintable(node.name),
    toPrintable(node.host),
    String(node.osPid),
    formatSpan(Date.now() - Date.parse(node.startedAt)),
    formatSpan(node.seenMsAgo),
    tell(node.held),
    tell(node.turns),
    toPrintable(node.modules?.join(" ") ?? "-"),
  ];
}

export function describeWork(node: NodeView): string[] {
  const { role, name, load, lagMs, held, rate, latency, waitMs, failures } = node;
  const times = [latency?.p50Ms, latency?.p99Ms, waitMs].map(tellMs);
  return [role, toPrintable(name), tell(load), tellMs(lagMs), tell(held), tell(rate), ...times, tell(failures)];
}

function tell(figure: number | undefined): string {
  return figure === undefined ? "-" : String(Math.round(figure * 100) / 100);
}

function tellMs(ms: number | undefined): string {
  return ms === undefined ? "-" : `${tell(ms)} ms`;
}
