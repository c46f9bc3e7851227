/** Runs a workload on systems that are started for it, and stops them whatever happens. */

import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { BenchArguments } from "./arguments.ts";
import { type CastResult, compareCasts } from "./cast-report.ts";
import { CAST_WAYS, type CastMeasurement, type CastWay, combineCasts, measureCasts } from "./casts.ts";
import { measureEntities, measureRecovery, type RecoveryMeasurement, type RecoveryWay } from "./entities.ts";
import { combineRecoveries, compareEntities, type EntityResult } from "./entity-report.ts";
import { Floor } from "./floor/floor.ts";
import { compareFunctions, type FunctionResult, FunctionsRoad, type FunctionWay } from "./functions-road.ts";
import { compareGrpc, type GrpcResult, GrpcRoad } from "./grpc-road.ts";
import { combineRounds, type Measurement } from "./measurement.ts";
import { OurCluster } from "./our-cluster.ts";
import { countClients } from "./redis-memory.ts";
import { type CallResult, compareBytes, compareCalls, type WorkloadResult } from "./report.ts";
import { describeSettings } from "./settings.ts";
import type { System } from "./system.ts";
import { compareTimers, type TimerResult } from "./timer-report.ts";
import { combineTimers, measureTimers, type TimerMeasurement, type TimerWay } from "./timers.ts";
import { countClientsOfFew, measureBytes, measureCalls, measureFirstTouch, type WorkloadName } from "./workloads.ts";

interface Systems {
  floor: System;
  ours: System;
}

type Limits = Pick<BenchArguments, "seconds" | "rounds" | "processes" | "timers">;

const CASTING_PROCESSES = 1_000;
/** One of them is killed. */
const LEAST_WORKERS_OF_A_KILL = 2;

export class Bench {
  readonly #limits: Limits;
  readonly #tell: (line: string) => void;
  readonly #running = new Set<Part>();

  constructor(limits: Limits, tell: (line: string) => void) {
    this.#limits = limits;
    this.#tell = tell;
  }

  async run(workload: WorkloadName): Promise<WorkloadResult> {
    if (workload === "W6") return await this.#measureCasts();
    if (workload === "W7") return await this.#measureTimers();
    if (workload === "W8") return await this.#measureEntities();
    if (workload === "W9") return await this.#measureGrpc();
    if (workload === "W10") return await this.#measureFunctions();
    const systems = { floor: new Floor(), ours: new OurCluster() };
    return await this.#whileRunning([systems.floor, systems.ours], () => this.#measure(workload, systems));
  }

  /** Ends what runs; a measurement under way fails. */
  async stop(): Promise<void> {
    const systems = [...this.#running];
    this.#running.clear();
    await Promise.all(systems.map((system) => system.stop()));
  }

  async #whileRunning<Result>(systems: readonly Part[], measure: () => Promise<Result>): Promise<Result> {
    try {
      for (const system of systems) {
        this.#running.add(system);
        await system.start();
      }
      return await measure();
    } finally {
      await this.stop();
    }
  }

  async #measure(
    workload: Exclude<WorkloadName, "W6" | "W7" | "W8" | "W9" | "W10">,
    systems: Systems,
  ): Promise<WorkloadResult> {
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

  async #measureCasts(): Promise<CastResult> {
    const { seconds, rounds } = this.#limits;
    const cluster = new OurCluster();
    const measured: Record<CastWay, CastMeasurement[]> = { http: [], inFlight64: [], inFlight1000: [] };
    await this.#whileRunning([cluster], async () => {
      for (let round = 1; round <= rounds; round++) {
        for (const way of CAST_WAYS) {
          const measurement = await measureCasts(cluster, way, { round, seconds, processes: CASTING_PROCESSES });
          const { perSecond, cpuMsPerCast } = measurement;
          this.#tell(
            `  round ${round}, ${way}: ${perSecond.toFixed(0)} casts/s, ${cpuMsPerCast.toFixed(3)} CPU-ms a cast`,
          );
          measured[way].push(measurement);
        }
      }
    });
    const { http, inFlight64, inFlight1000 } = measured;
    return compareCasts(combineCasts(http), combineCasts(inFlight64), combineCasts(inFlight1000));
  }

  /** Lateness where a worker can be killed; then the rate where W3 has its own. */
  async #measureTimers(): Promise<TimerResult> {
    const { seconds, rounds } = this.#limits;
    const measured: Record<TimerWay, TimerMeasurement[]> = { spread: [], kill: [], instant: [] };
    const calls: Measurement[] = [];
    const pair = new OurCluster(Math.max(LEAST_WORKERS_OF_A_KILL, describeSettings().workers));
    await this.#whileRunning([pair], async () => {
      for (let round = 1; round <= rounds; round++) {
        for (const way of ["spread", "kill"] as const)
          measured[way].push(await this.#measureTimersOnce(pair, way, round));
      }
    });
    const cluster = new OurCluster();
    await this.#whileRunning([cluster], async () => {
      for (let round = 1; round <= rounds; round++) {
        calls.push(await measureCalls(cluster, "W3", { round, seconds }));
        this.#tell(`  round ${round}, W3: ${calls.at(-1)?.rps.toFixed(0)} req/s`);
        measured.instant.push(await this.#measureTimersOnce(cluster, "instant", round));
      }
    });
    const { spread, kill, instant } = measured;
    return compareTimers(combineTimers(spread), combineTimers(kill), combineTimers(instant), combineRounds(calls));
  }

  async #measureGrpc(): Promise<GrpcResult> {
    const { seconds, rounds } = this.#limits;
    const measured: Record<"grpc" | "entity", Measurement[]> = { grpc: [], entity: [] };
    const road = new GrpcRoad();
    await this.#whileRunning([road], async () => {
      for (let round = 1; round <= rounds; round++) {
        for (const way of ["entity", "grpc"] as const) {
          const measurement = await road.measure(way, { round, seconds });
          this.#tell(`  round ${round}, ${way}: ${measurement.rps.toFixed(0)} req/s`);
          measured[way].push(measurement);
        }
      }
    });
    return compareGrpc(combineRounds(measured.grpc), combineRounds(measured.entity));
  }

  async #measureFunctions(): Promise<FunctionResult> {
    const { seconds, rounds } = this.#limits;
    const measured: Record<FunctionWay, Measurement[]> = { handler: [], function: [] };
    const road = new FunctionsRoad();
    return await this.#whileRunning([road], async () => {
      for (let round = 1; round <= rounds; round++) {
        for (const way of ["handler", "function"] as const) {
          const measurement = await road.measure(way, seconds);
          this.#tell(`  round ${round}, ${way}: ${measurement.p50Ms.toFixed(2)} ms in the median`);
          measured[way].push(measurement);
        }
      }
      const warm = { handler: combineRounds(measured.handler), function: combineRounds(measured.function) };
      return compareFunctions(warm, await road.measureColdStarts(), await road.measureCrons());
    });
  }

  async #measureEntities(): Promise<EntityResult> {
    const { seconds, rounds } = this.#limits;
    const measured: Record<"entities" | "calls", Measurement[]> = { entities: [], calls: [] };
    const recoveries: Record<RecoveryWay, RecoveryMeasurement[]> = { snapshots: [], whole: [] };
    const cluster = new OurCluster();
    await this.#whileRunning([cluster], async () => {
      for (let round = 1; round <= rounds; round++) {
        measured.calls.push(await measureCalls(cluster, "W3", { round, seconds }));
        measured.entities.push(await measureEntities(cluster, { round, seconds }));
        const [calls, entities] = [measured.calls.at(-1)?.rps ?? 0, measured.entities.at(-1)?.rps ?? 0];
        this.#tell(`  round ${round}: entities ${entities.toFixed(0)} req/s, W3 ${calls.toFixed(0)} req/s`);
      }
      for (let round = 1; round <= rounds; round++) {
        for (const way of ["snapshots", "whole"] as const) {
          const measurement = await measureRecovery(cluster, way, round);
          this.#tell(`  round ${round}, ${way}: ${measurement.recoveryMs.toFixed(1)} ms`);
          recoveries[way].push(measurement);
        }
      }
    });
    const { entities, calls } = measured;
    const { snapshots, whole } = recoveries;
    return compareEntities(
      combineRounds(entities),
      combineRounds(calls),
      combineRecoveries(snapshots),
      combineRecoveries(whole),
    );
  }

  async #measureTimersOnce(cluster: OurCluster, way: TimerWay, round: number): Promise<TimerMeasurement> {
    const measurement = await measureTimers(cluster, { way, round, timers: this.#limits.timers });
    const { medianMs, p99Ms, latestMs, perSecond } = measurement;
    const late = `${medianMs} ms late in the median, ${p99Ms} ms p99, ${latestMs} ms the latest`;
    this.#tell(`  round ${round}, ${way}: ${way === "instant" ? `${perSecond.toFixed(0)} timers/s` : late}`);
    return measurement;
  }
}
