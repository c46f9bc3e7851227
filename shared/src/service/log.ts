/** The one place where a node's log is set up: JSON lines, each with the node's name. */

import { type DestinationStream, destination, type Logger, multistream, pino } from "pino";
import { readText, SettingError } from "./env.ts";

export type { Logger };

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** Writes to stdout, or to another file descriptor where stdout is taken; and each line also to `second`. */
export function createLog(
  node: string,
  env: Record<string, string | undefined> = process.env,
  fd = 1,
  second?: DestinationStream,
): Logger {
  const level = readText(env, "LOG_LEVEL", "info");
  if (!LEVELS.includes(level)) throw new SettingError(`LOG_LEVEL must be one of ${LEVELS.join(", ")}, not "${level}"`);
  const options = {
    level,
    base: { node },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const first = destination(fd);
  return pino(options, second ? multistream([first, second].map((stream) => ({ level: "trace", stream }))) : first);
}
