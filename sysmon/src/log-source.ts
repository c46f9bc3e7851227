/** The cluster's log as the consoles read it. */

export interface LogEntry {
  /** Of the stream: entries are in the order of their ids. */
  id: string;
  /** ms since the epoch, or ISO 8601. */
  time: number | string;
  level: string;
  node: string;
  msg: string;
  pid?: string;
  module?: string;
  [field: string]: unknown;
}

export interface LogFilter {
  pid?: string;
  module?: string;
  node?: string;
  /** This level and those above it. */
  level?: string;
}

export interface LogSource {
  /** Tells what is kept after `afterId`, or the last `tail` entries, then every new one. Returns what ends that. */
  subscribe(
    options: { filter: LogFilter; afterId?: string; tail?: number },
    onEntry: (entry: LogEntry) => void,
  ): () => void;
}
