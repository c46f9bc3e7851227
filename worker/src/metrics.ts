/** What a worker counts about its turns and processes, in the form that Prometheus reads. */

import type { Node } from "@genserverless/shared/cluster/node.ts";
import { createNodeRegistry } from "@genserverless/shared/metrics/node-metrics.ts";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Worker } from "./worker.ts";

const TURN_BUCKETS_S = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];
const WAIT_BUCKETS_S = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300];

export function createWorkerRegistry({ events, link }: Node, worker: Worker): Registry {
  const registry = createNodeRegistry({ events, link });
  const registers = [registry];
  const labelNames = ["module"] as const;
  const durations = new Histogram({
    name: "genserverless_turn_duration_seconds",
    help: "Time that a turn's callback took, by module",
    labelNames,
    buckets: TURN_BUCKETS_S,
    registers,
  });
  const waits = new Histogram({
    name: "genserverless_queue_wait_seconds",
    help: "Time from a message's acceptance to its turn, by module; delayed and retried ones excepted",
    labelNames,
    buckets: WAIT_BUCKETS_S,
    registers,
  });
  const failures = new Counter({
    name: "genserverless_turns_failed_total",
    help: "Turns whose callback failed, by module",
    labelNames,
    registers,
  });
  worker.meter.listen(({ module, ms, waitMs, isFailed }) => {
    durations.observe({ module }, ms / 1_000);
    if (waitMs !== undefined) waits.observe({ module }, Math.max(0, waitMs) / 1_000);
    if (isFailed) failures.inc({ module });
  });
  gauge("genserverless_processes_held", "Leases: processes in this worker's memory", () => worker.figures.held);
  gauge("genserverless_processes_running", "Processes in a turn", () => worker.figures.running);
  new Counter({
    name: "genserverless_takeovers_total",
    help: "Processes taken over from workers that died",
    registers,
    collect() {
      this.reset();
      this.inc(worker.meter.takeovers);
    },
  });
  return registry;

  function gauge(name: string, help: string, read: () => number): void {
    const collect = function (this: Gauge) {
      this.set(read());
    };
    new Gauge({ name, help, registers, collect });
  }
}
