/** W6 as figures and as a table. */

import type { CastMeasurement } from "./casts.ts";
import { alignTable, formatErrors } from "./table.ts";

export interface CastResult {
  http: CastMeasurement;
  inFlight64: CastMeasurement;
  inFlight1000: CastMeasurement;
  /** Casts between processes divided by casts over HTTP. */
  ratio: Record<"inFlight64" | "inFlight1000", Record<"perSecond" | "cpuMsPerCast", number>>;
}

export function compareCasts(
  http: CastMeasurement,
  inFlight64: CastMeasurement,
  inFlight1000: CastMeasurement,
): CastResult {
  const divide = ({ perSecond, cpuMsPerCast }: CastMeasurement) => ({
    perSecond: perSecond / http.perSecond,
    cpuMsPerCast: cpuMsPerCast / http.cpuMsPerCast,
  });
  return {
    ...{ http, inFlight64, inFlight1000 },
    ratio: { inFlight64: divide(inFlight64), inFlight1000: divide(inFlight1000) },
  };
}

export function formatCasts(name: string, { http, inFlight64, inFlight1000, ratio }: CastResult): string {
  const row = (who: string, { perSecond, cpuMsPerCast, casts, errors }: CastMeasurement) => [
    ...[name, who, perSecond.toFixed(0), cpuMsPerCast.toFixed(3), String(casts), formatErrors(errors)],
  ];
  const share = (who: string, { perSecond, cpuMsPerCast }: CastResult["ratio"]["inFlight64"]) => [
    ...[name, `${who} / HTTP`, perSecond.toFixed(2), cpuMsPerCast.toFixed(2), "", ""],
  ];
  return alignTable([
    ["", "", "casts/s", "CPU-ms/cast", "casts", "errors"],
    row("HTTP", http),
    row("64 in flight", inFlight64),
    share("64 in flight", ratio.inFlight64),
    row("1,000 in flight", inFlight1000),
    share("1,000 in flight", ratio.inFlight1000),
  ]);
}
