/** What sysmon sees of the cluster as a whole, in the form that Prometheus reads. Read anew for each scrape, once a beat. */

import { createNodeRegistry } from "@genserverless/shared/metrics/node-metrics.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import { Gauge, type Registry } from "prom-client";
import type { Watch } from "./watch.ts";

export interface ClusterMetrics {
  contentType: string;
  /** What there is to scrape now. While Redis is away the counts are the last good ones, and `genserverless_redis_up` is 0. */
  read(): Promise<string>;
}

export function createClusterMetrics(watch: Watch, events: Events): ClusterMetrics {
  const registry = createNodeRegistry({ events });
  const nodes = gauge(registry, "nodes", "Live nodes, by role", "role");
  const processes = gauge(registry, "processes", "Processes, by status", "status");
  const messages = gauge(registry, "mailbox_messages", "Messages in mailboxes: waiting, delayed, failed", "state");
  const held = gauge(registry, "node_processes_held", "Leases: processes in a worker's memory, by node", "node");
  const up = gauge(registry, "redis_up", "Whether the newest read of Redis succeeded");
  const memory = gauge(registry, "redis_memory_bytes", "Memory of Redis: used, and its limit", "kind");

  const look = async () => {
    const { view, away } = await watch.look();
    up.set(view && !away ? 1 : 0);
    if (!view) return;
    for (const metric of [nodes, processes, messages, held, memory]) metric.reset();
    for (const { role, name, held: count } of view.nodes) {
      nodes.inc({ role });
      if (count !== undefined) held.set({ node: name }, count);
    }
    for (const [status, count] of Object.entries(view.processes)) processes.set({ status }, count);
    for (const [state, count] of Object.entries(view.mailbox)) messages.set({ state }, count);
    memory.set({ kind: "used" }, view.redis.usedMemoryBytes);
    memory.set({ kind: "limit" }, view.redis.maxMemoryBytes);
  };
  return {
    contentType: registry.contentType,
    async read() {
      await look();
      return await registry.metrics();
    },
  };
}

function gauge(registry: Registry, name: string, help: string, label?: string): Gauge {
  return new Gauge({
    name: `genserverless_${name}`,
    help,
    labelNames: label ? [label] : [],
    registers: [registry],
  });
}
