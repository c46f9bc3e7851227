/** A cluster to look at, for the tests of both skins. */

import type { ClusterView, NodeView } from "@genserverless/shared/inspect/views.ts";

export const SAMPLE_NOW_MS = Date.parse("2026-03-01T12:00:00Z");

export function nodeView(node: Partial<NodeView> = {}): NodeView {
  return {
    id: "worker@worker-1#7f3a0c11d2e9",
    name: "worker@worker-1",
    role: "worker",
    host: "62e5542039f7",
    osPid: 4711,
    startedAt: "2026-03-01T11:56:56Z",
    seenMsAgo: 412,
    held: 117,
    turns: 20_482,
    modules: ["accumulator@1", "stack@1"],
    ...node,
  };
}

export function clusterView(nodes: NodeView[] = [nodeView()]): ClusterView {
  return {
    nodes,
    processes: { starting: 1, running: 12, idle: 1880, paused: 0, stopped: 4, quarantined: 1 },
    mailbox: { waiting: 31, delayed: 6, failed: 2 },
    redis: { version: "7.0.15", usedMemoryBytes: 3_460_300, maxMemoryBytes: 268_435_456, connected: true },
  };
}
