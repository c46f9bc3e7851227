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

/** Reads a JSON line; undefined where it is none. */
export function readEntry(id: string, line: string): LogEntry | undefined {
  try {
    const { level = "info", time = "", node = "", msg = "", ...fields } = JSON.parse(line) as Partial<LogEntry>;
    const module = typeof fields.pid === "string" ? fields.pid.split("/", 1)[0] : undefined;
    return { ...(module !== undefined && { module }), ...fields, id, time, level, node, msg };
  } catch {
    return undefined;
  }
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
