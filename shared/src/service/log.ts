/** The one place where a node's log is set up: JSON lines, each with the node's name. */

import { destination, type Logger, pino } from "pino";

export type { Logger };

/** Writes to stdout, or to another file descriptor where stdout is taken. */
export function createLog(node: string, env: Record<string, string | undefined> = process.env, fd = 1): Logger {
  const options = {
    level: env["LOG_LEVEL"] ?? "info",
    base: { node },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, destination(fd));
}
