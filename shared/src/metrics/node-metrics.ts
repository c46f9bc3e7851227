/** What every node counts about itself, in the form that Prometheus reads: Node's own figures, its events, its Redis. */

import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import type { RedisLink } from "../redis/connection.ts";
import type { Events } from "../service/events.ts";

const ROUND_TRIP_BUCKETS_S = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

export function createNodeRegistry({ events, link }: { events: Events; link?: RedisLink }): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  countEvents(registry, events);
  if (link) timeScripts(registry, link);
  return registry;
}

function countEvents(registry: Registry, events: Events): void {
  const counter = new Counter({
    name: "cluster_events_total",
    help: "What happened in this node, by the event's name",
    labelNames: ["name"],
    registers: [registry],
  });
  events.listen(({ name }) => counter.inc({ name }));
}

function timeScripts(registry: Registry, link: RedisLink): void {
  const histogram = new Histogram({
    name: "genserverless_redis_round_trip_seconds",
    help: "Time from a script's sending to its answer, by script",
    labelNames: ["script"],
    buckets: ROUND_TRIP_BUCKETS_S,
    registers: [registry],
  });
  const byScript = new Map<string, Histogram.Internal<"script">>();
  link.onRun((script, ms) => {
    const known = byScript.get(script);
    const observed = known ?? histogram.labels({ script });
    if (!known) byScript.set(script, observed);
    observed.observe(ms / 1_000);
  });
}
