/** What this node counts about its requests, beside Node's own figures, in the form that Prometheus reads. */

import type { Events } from "@genserverless/shared/service/events.ts";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

type Observe = (status: number, seconds: number) => void;

export class ApiMetrics {
  readonly registry = new Registry();
  /** Requests that were taken and not yet answered. */
  inFlight = 0;

  readonly #durations: Histogram<"method" | "route" | "status">;

  constructor(events: Events) {
    this.#countEvents(events);
    collectDefaultMetrics({ register: this.registry });
    this.#durations = new Histogram({
      name: "http_request_duration_seconds",
      help: "Time from the request's head to its answer",
      labelNames: ["method", "route", "status"],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers: [this.registry],
    });
    const readInFlight = () => this.inFlight;
    new Gauge({
      name: "http_requests_in_flight",
      help: "Requests that were taken and not yet answered",
      registers: [this.registry],
      collect() {
        this.set(readInFlight());
      },
    });
  }

  #countEvents(events: Events): void {
    const counter = new Counter({
      name: "cluster_events_total",
      help: "What happened in this node, by the event's name",
      labelNames: ["name"],
      registers: [this.registry],
    });
    events.listen(({ name }) => counter.inc({ name }));
  }

  /** The observer of one route; it keeps a labelled child per status, for looking one up costs as much as observing. */
  forRoute(method: string, route: string): Observe {
    const children = new Map<number, Histogram.Internal<"method" | "route" | "status">>();
    return (status, seconds) => {
      let child = children.get(status);
      if (!child) {
        child = this.#durations.labels({ method, route, status: String(status) });
        children.set(status, child);
      }
      child.observe(seconds);
    };
  }
}
