/** The cluster's log as the consoles read it. */

import type { LogEntry, LogFilter } from "@genserverless/shared/logs/log-entry.ts";

export interface LogSource {
  /** Tells what is kept after `afterId`, or the last `tail` entries, then every new one. Returns what ends that. */
  subscribe(
    options: { filter: LogFilter; afterId?: string; tail?: number },
    onEntry: (entry: LogEntry) => void,
  ): () => void;
}
