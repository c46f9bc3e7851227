/** The figures as a table for people and as JSON for programs. */

import { type CastResult, formatCasts } from "./cast-report.ts";
import { type EntityResult, formatEntities } from "./entity-report.ts";
import { type FunctionResult, formatFunctions } from "./functions-road.ts";
import { formatGrpc, type GrpcResult } from "./grpc-road.ts";
import type { Measurement } from "./measurement.ts";
import { alignTable, formatErrors } from "./table.ts";
import { formatTimers, type TimerResult } from "./timer-report.ts";

export interface CallResult {
  ours: Measurement;
  floor: Measurement;
  /** Ours divided by the floor. */
  ratio: Record<"rps" | "p50Ms" | "p99Ms" | "cpuMsPerCall", number>;
}

export interface ByteResult {
  ours: { bytesPerProcess: number };
  floor: { bytesPerProcess: number };
  ratio: { bytesPerProcess: number };
}

/** Our nodes' Redis connections by client name, with few processes and with all that W4 starts. */
export type ClientCounts = Record<"withFew" | "withMany", Record<string, number>>;

export type WorkloadResult =
  | (CallResult & { redisClients?: ClientCounts })
  | ByteResult
  | CastResult
  | TimerResult
  | EntityResult
  | GrpcResult
  | FunctionResult;

export function compareCalls(ours: Measurement, floor: Measurement): CallResult {
  return {
    ours,
    floor,
    ratio: {
      rps: ours.rps / floor.rps,
      p50Ms: ours.p50Ms / floor.p50Ms,
      p99Ms: ours.p99Ms / floor.p99Ms,
      cpuMsPerCall: ours.cpuMsPerCall / floor.cpuMsPerCall,
    },
  };
}

export function compareBytes(ours: number, floor: number): ByteResult {
  return {
    ours: { bytesPerProcess: ours },
    floor: { bytesPerProcess: floor },
    ratio: { bytesPerProcess: ours / floor },
  };
}

/** W1 to W5 in one table, the others each in one of its own. */
export function formatTables(results: ReadonlyMap<string, WorkloadResult>): string {
  const rows = [["", "", "req/s", "p50 ms", "p99 ms", "CPU-ms/call", "bytes", "calls", "errors"]];
  const others: string[] = [];
  for (const [name, result] of results) {
    if ("http" in result) others.push(formatCasts(name, result));
    else if ("entities" in result) others.push(formatEntities(name, result));
    else if ("grpc" in result) others.push(formatGrpc(name, result));
    else if ("crons" in result) others.push(formatFunctions(name, result));
    else if ("instant" in result) others.push(formatTimers(name, result));
    else if ("bytesPerProcess" in result.ratio) rows.push(...byteRows(name, result as ByteResult));
    else rows.push(...callRows(name, result as CallResult));
  }
  return [...(rows.length > 1 ? [alignTable(rows)] : []), ...others].join("\n\n");
}

export function formatClients({ withFew, withMany }: ClientCounts): string {
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ");
  return `Redis connections with few processes: ${list(withFew)}\n     and with all of W4's processes: ${list(withMany)}`;
}

/** Figures in JSON have as many digits as they can mean something. */
export function formatJson(report: object): string {
  const shorten = (_key: string, value: unknown) => (typeof value === "number" ? Number(value.toPrecision(6)) : value);
  return `${JSON.stringify(report, shorten, 2)}\n`;
}

function callRows(name: string, { ours, floor, ratio }: CallResult): string[][] {
  const row = (who: string, { rps, p50Ms, p99Ms, cpuMsPerCall, calls, errors }: Measurement) => [
    ...[name, who, rps.toFixed(0), p50Ms.toFixed(2), p99Ms.toFixed(2), cpuMsPerCall.toFixed(3)],
    ...["", String(calls), formatErrors(errors)],
  ];
  const ratios = [ratio.rps, ratio.p50Ms, ratio.p99Ms, ratio.cpuMsPerCall].map((value) => value.toFixed(2));
  return [row("floor", floor), row("ours", ours), [name, "ours / floor", ...ratios, "", "", ""]];
}

function byteRows(name: string, { ours, floor, ratio }: ByteResult): string[][] {
  const row = (who: string, bytes: string) => [name, who, "", "", "", "", bytes, "", ""];
  return [
    row("floor", floor.bytesPerProcess.toFixed(0)),
    row("ours", ours.bytesPerProcess.toFixed(0)),
    row("ours / floor", ratio.bytesPerProcess.toFixed(2)),
  ];
}
