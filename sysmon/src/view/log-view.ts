/** The log and events tabs: what was written last stands at the bottom. */

import type { LogEntry } from "@genserverless/shared/logs/log-entry.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { type Line, line, span, type Tone } from "./line.ts";
import type { LogModel } from "./model.ts";

const LEVEL_TONES: Record<string, Tone> = { trace: "quiet", debug: "quiet", warn: "warn", error: "bad", fatal: "bad" };
/** Told in their own places, or not at all. */
const HEAD_FIELDS = new Set(["id", "time", "level", "node", "msg", "pid", "hostname"]);

export function viewLog(log: LogModel, width: number, height: number): Line[] {
  const head = describeFilter(log);
  if (log.entries.length === 0) return [head, line("nothing yet", "quiet")];
  const room = Math.max(1, height - 1);
  const end = Math.max(Math.min(room, log.entries.length), log.entries.length - log.back);
  return [head, ...log.entries.slice(Math.max(0, end - room), end).map((entry) => describeEntry(entry, width))];
}

function describeFilter({ entries, filter, level, isHeld, back }: LogModel): Line {
  const state = isHeld ? "held" : back > 0 ? `${back} back` : "live";
  return [
    span(state, isHeld || back > 0 ? "warn" : "good"),
    span(`  ${entries.length} entries  ${level} and above`, "quiet"),
    ...(filter ? [span("  filter "), span(toPrintable(filter), "accent")] : []),
  ];
}

function describeEntry(entry: LogEntry, width: number): Line {
  const tone = LEVEL_TONES[entry.level] ?? "plain";
  const time = new Date(entry.time).toISOString().slice(11, 19);
  const node = width >= 60 ? [span(`${toPrintable(entry.node)}  `, "accent")] : [];
  const pid = entry.pid === undefined ? [] : [span(`${toPrintable(entry.pid)}  `, "strong")];
  return [
    span(`${time} `, "quiet"),
    ...(tone === "plain" ? [] : [span(`${entry.level} `, tone)]),
    ...node,
    ...pid,
    span(`${toPrintable(entry.msg)}  `, tone),
    span(toPrintable(describeFields(entry)), "quiet"),
  ];
}

function describeFields(entry: LogEntry): string {
  const fields = Object.entries(entry).filter(([name]) => !HEAD_FIELDS.has(name));
  return fields
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
}
