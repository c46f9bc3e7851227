/** What functions did since the service began: counted for each, and for Prometheus. */

import type { FunctionFigures } from "@genserverless/shared/functions/functions-client.ts";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { Problem } from "../problems.ts";

export type Outcome = "completed" | "failed" | "timeout" | "died" | "not_started" | "refused";

/** What becomes of an invocation that got no sandbox. */
export function outcomeOfRefusal(error: unknown): Outcome {
  return error instanceof Problem && error.code === "function_not_started" ? "not_started" : "refused";
}

const NAMES = ["project", "function"] as const;

/** `totalMs` is from when a sandbox had it to the end of the answer; `failures` is whatever did not complete and was not refused. */
interface Figure extends FunctionFigures {
  /** Invocations that had a sandbox. */
  timed: number;
}

export class Figures {
  readonly #figures = new Map<string, Figure>();
  readonly #invocations: Counter;
  readonly #durations: Histogram;
  readonly #coldStarts: Histogram;

  constructor(registry: Registry, countSandboxes: () => { warm: number; busy: number }) {
    const registers = [registry];
    this.#invocations = new Counter({
      name: "functions_invocations_total",
      help: "Invocations by what became of them",
      labelNames: [...NAMES, "outcome"],
      registers,
    });
    this.#durations = new Histogram({
      name: "functions_duration_seconds",
      help: "How long functions took, waiting for a sandbox left out",
      labelNames: NAMES,
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers,
    });
    this.#coldStarts = new Histogram({
      name: "functions_cold_start_seconds",
      help: "How long sandboxes took to start",
      labelNames: NAMES,
      buckets: [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5],
      registers,
    });
    new Gauge({
      name: "functions_sandboxes",
      help: "Sandboxes by what they do",
      labelNames: ["state"],
      registers,
      collect() {
        const { warm, busy } = countSandboxes();
        this.set({ state: "warm" }, warm);
        this.set({ state: "busy" }, busy);
      },
    });
  }

  noteInvocation(project: string, name: string, outcome: Outcome, durationMs: number): void {
    const figures = this.#get(project, name);
    figures.invocations++;
    figures.totalMs += durationMs;
    if (outcome !== "refused" && outcome !== "not_started") figures.timed++;
    if (outcome === "refused") figures.refused++;
    else if (outcome !== "completed") figures.failures++;
    if (outcome === "timeout") figures.timeouts++;
    this.#invocations.inc({ project, function: name, outcome });
    if (outcome !== "refused") this.#durations.observe({ project, function: name }, durationMs / 1_000);
  }

  noteColdStart(project: string, name: string, ms: number): void {
    const figures = this.#get(project, name);
    figures.coldStarts++;
    figures.lastColdStartMs = Math.round(ms);
    this.#coldStarts.observe({ project, function: name }, ms / 1_000);
  }

  get all(): (FunctionFigures & { meanMs?: number })[] {
    return [...this.#figures.values()].map(({ timed, ...figures }) => ({
      ...figures,
      ...(timed > 0 && { meanMs: Math.round((figures.totalMs / timed) * 100) / 100 }),
    }));
  }

  deleteProject(project: string): void {
    for (const [key, figures] of this.#figures) {
      if (figures.project !== project) continue;
      this.#figures.delete(key);
      for (const metric of [this.#durations, this.#coldStarts]) metric.remove({ project, function: figures.function });
    }
  }

  #get(project: string, name: string): Figure {
    const key = `${project}/${name}`;
    const known = this.#figures.get(key);
    if (known) return known;
    const made = {
      project,
      function: name,
      invocations: 0,
      failures: 0,
      timeouts: 0,
      refused: 0,
      coldStarts: 0,
      totalMs: 0,
      timed: 0,
    };
    this.#figures.set(key, made);
    return made;
  }
}
