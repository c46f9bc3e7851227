/** Runs a workload on systems that are started for it, and stops them whatever happens. */

import type { BenchArguments } from "./arguments.ts";
import { Floor } from "./floor/floor.ts";
import { combineRounds, type Measurement } from "./measurement.ts";
import { OurCluster } from "./our-cluster.ts";
import { countClients } from "./redis-memory.ts";
import { type CallResult, compareBytes, compareCalls, type WorkloadResult } from "./report.ts";
import type { System } from "./system.ts";
import { countClientsOfFew, measureBytes, measureCalls, measureFirstTouch, type WorkloadName } from "./workloads.ts";

interface Systems {
  floor: System;
  ours: System;
}

type Limits = Pick<BenchArguments, "seconds" | "rounds" | "processes">;

export class Bench {
  readonly #limits: Limits;
  readonly #tell: (line: string) => void;
  readonly #running = new Set<System>();

  constructor(limits: Limits, tell: (line: string) => void) {
    this.#limits = limits;
    this.#tell = tell;
  }

  async run(workload: WorkloadName): Promise<WorkloadResult> {
    const systems = { floor: new Floor(), ours: new OurCluster() };
    try {
      for (const system of [systems.floor, systems.ours]) {
        this.#running.add(system);
        await system.start();
      }
      return await this.#measure(workload, systems);
    } finally {
      await this.stop();
    }
  }

  /** Ends what runs; a measurement under way fails. */
  async stop(): Promise<void> {
    const systems = [...this.#running];
    this.#running.clear();
    await Promise.all(systems.map((system) => system.stop()));
  }

  async #measure(workload: WorkloadName, systems: Systems): Promise<WorkloadResult> {
    const { seconds, processes } = this.#limits;
    if (workload === "W5") {
      const floor = await measureBytes(systems.floor, processes);
      return compareBytes(await measureBytes(systems.ours, processes), floor);
    }
    if (workload !== "W4") {
      return this.#takeTurns(systems, (system, round) => measureCalls(system, workload, { round, seconds }));
    }
    const withFew = await countClientsOfFew(systems.ours);
    const result = await this.#takeTurns(systems, (system, round) => measureFirstTouch(system, round, processes));
    return { ...result, redisClients: { withFew, withMany: await countClients(systems.ours.redis) } };
  }

  /** Floor, ours, floor, ours …, so that whatever else the machine does meets both alike. */
  async #takeTurns(
    systems: Systems,
    measureRound: (system: System, round: number) => Promise<Measurement>,
  ): Promise<CallResult> {
    const rounds: Record<keyof Systems, Measurement[]> = { floor: [], ours: [] };
    for (let round = 1; round <= this.#limits.rounds; round++) {
      for (const name of ["floor", "ours"] as const) {
        const measurement = await measureRound(systems[name], round);
        const { rps, cpuMsPerCall } = measurement;
        this.#tell(`  round ${round}, ${name}: ${rps.toFixed(0)} req/s, ${cpuMsPerCall.toFixed(3)} CPU-ms a call`);
        rounds[name].push(measurement);
      }
    }
    return compareCalls(combineRounds(rounds.ours), combineRounds(rounds.floor));
  }
}
