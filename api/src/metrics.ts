/** What an api counts about its requests, beside what every node counts, in the form that Prometheus reads. */

import { Durations } from "@genserverless/shared/service/durations.ts";
import { Gauge, Histogram, type Registry } from "prom-client";

type Observe = (status: number, seconds: number) => void;

export class ApiMetrics {
  readonly registry: Registry;
  /** Requests that were taken and not yet answered. */
  inFlight = 0;

  readonly #durations: Histogram<"method" | "route" | "status">;
  readonly #calls = new Durations();
  #requests = 0;
  #takenAt = performance.now();

  constructor(registry: Registry) {
    this.registry = registry;
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

  /** What the heartbeat tells: requests a second, and how long calls took, since that was last taken. */
  take(): { rate: number; p50Ms: number; p99Ms: number } {
    const now = performance.now();
    const rate = (this.#requests * 1_000) / Math.max(1, now - this.#takenAt);
    const { p50Ms, p99Ms } = this.#calls.take();
    this.#requests = 0;
    this.#takenAt = now;
    return { rate: toHundredths(rate), p50Ms: toHundredths(p50Ms), p99Ms: toHundredths(p99Ms) };
  }

  /** The observer of one route; it keeps a labelled child per status, for looking one up costs as much as observing. */
  forRoute(method: string, route: string): Observe {
    const children = new Map<number, Histogram.Internal<"method" | "route" | "status">>();
    const isCall = route.endsWith("/call");
    return (status, seconds) => {
      this.#requests += 1;
      if (isCall) this.#calls.note(seconds * 1_000);
      let child = children.get(status);
      if (!child) {
        child = this.#durations.labels({ method, route, status: String(status) });
        children.set(status, child);
      }
      child.observe(seconds);
    };
  }
}

function toHundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
