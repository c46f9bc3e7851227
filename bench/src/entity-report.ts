/** W8 as figures and as a table. */

import type { RecoveryMeasurement } from "./entities.ts";
import type { Measurement } from "./measurement.ts";
import { median } from "./statistics.ts";
import { alignTable } from "./table.ts";

export interface EntityResult {
  entities: Measurement;
  /** W3 on the same cluster, in turns. */
  calls: Measurement;
  /** Entities divided by W3. */
  ratio: { rps: number; p50Ms: number; cpuMsPerCall: number };
  snapshots: RecoveryMeasurement;
  whole: RecoveryMeasurement;
}

export function compareEntities(
  entities: Measurement,
  calls: Measurement,
  snapshots: RecoveryMeasurement,
  whole: RecoveryMeasurement,
): EntityResult {
  const ratio = {
    rps: entities.rps / calls.rps,
    p50Ms: entities.p50Ms / calls.p50Ms,
    cpuMsPerCall: entities.cpuMsPerCall / calls.cpuMsPerCall,
  };
  return { entities, calls, ratio, snapshots, whole };
}

/** The medians over the rounds. */
export function combineRecoveries(rounds: readonly RecoveryMeasurement[]): RecoveryMeasurement {
  const [first] = rounds;
  if (!first) throw new Error("no recovery was measured");
  const medianOf = (figure: (round: RecoveryMeasurement) => number) => median(rounds.map(figure));
  return {
    ...first,
    coldMs: medianOf(({ coldMs }) => coldMs),
    warmMs: medianOf(({ warmMs }) => warmMs),
    recoveryMs: medianOf(({ recoveryMs }) => recoveryMs),
  };
}

export function formatEntities(name: string, { entities, calls, ratio, snapshots, whole }: EntityResult): string {
  const row = (who: string, { rps, p50Ms, cpuMsPerCall, calls: count }: Measurement) => [
    ...[name, who, rps.toFixed(0), p50Ms.toFixed(2), cpuMsPerCall.toFixed(3), String(count)],
  ];
  const recovery = (who: string, { coldMs, warmMs, recoveryMs, events, folded }: RecoveryMeasurement) => [
    ...[name, who, coldMs.toFixed(1), warmMs.toFixed(1), recoveryMs.toFixed(1), String(events), String(folded)],
  ];
  const rates = alignTable([
    ["", "", "req/s", "p50 ms", "CPU-ms/call", "calls"],
    row("entities", entities),
    row("W3's calls", calls),
    [name, "entities / W3", ratio.rps.toFixed(2), ratio.p50Ms.toFixed(2), ratio.cpuMsPerCall.toFixed(2), ""],
  ]);
  const recoveries = alignTable([
    ["", "first call of a sleeping entity", "cold ms", "warm ms", "difference ms", "events", "folded"],
    recovery("with a snapshot behind every 100th event", snapshots),
    recovery("without snapshots", whole),
  ]);
  return `${rates}\n\n${recoveries}`;
}
