/** A line of the cluster's log, as it lies in the stream and as it is shown. */

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogEntry {
  /** The stream's id of it: entries are in the order of their ids. */
  id: string;
  /** ISO 8601. */
  time: string;
  level: LogLevel;
  /** Its node, e.g. `worker@a1`. */
  node: string;
  msg: string;
  /** The process that it is about. */
  pid?: string;
  module?: string;
  [field: string]: unknown;
}

/** An entry has to pass all that is given. */
export interface LogFilter {
  pid?: string | undefined;
  module?: string | undefined;
  node?: string | undefined;
  /** This one and the graver ones. */
  level?: LogLevel | undefined;
}

/** Reads a JSON line, whatever it holds: what is ours is made what it should be. Undefined where it is no JSON object. */
export function readEntry(id: string, line: string): LogEntry | undefined {
  const read = parseObject(line);
  if (!read) return undefined;
  const { level, time, node, msg, pid, module, ...fields } = read;
  const about = typeof pid === "string" ? { pid, module: pid.split("/", 1)[0] } : { module };
  return {
    ...(typeof about.module === "string" && { module: about.module }),
    ...(about.pid !== undefined && { pid: about.pid }),
    ...fields,
    id,
    time: readTime(time, id),
    level: LOG_LEVELS.find((known) => known === level) ?? "info",
    node: toText(node),
    msg: toText(msg),
  };
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** ISO 8601. What is no time is taken from the entry's id, which begins with ms since the epoch. */
function readTime(time: unknown, id: string): string {
  const ms = typeof time === "string" ? Date.parse(time) : Number.NaN;
  return new Date(Number.isNaN(ms) ? Number(id.split("-", 1)[0]) : ms).toISOString();
}

function toText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined ? "" : JSON.stringify(value);
}

export function passes(entry: LogEntry, { pid, module, node, level }: LogFilter): boolean {
  if (pid !== undefined && entry.pid !== pid) return false;
  if (module !== undefined && entry.module !== module) return false;
  if (node !== undefined && entry.node !== node) return false;
  return level === undefined || LOG_LEVELS.indexOf(entry.level) >= LOG_LEVELS.indexOf(level);
}

/** Whether a stream's id comes after another. */
export function isAfter(id: string, other: string): boolean {
  const [ms = 0, seq = 0] = id.split("-").map(Number);
  const [otherMs = 0, otherSeq = 0] = other.split("-").map(Number);
  return ms > otherMs || (ms === otherMs && seq > otherSeq);
}
