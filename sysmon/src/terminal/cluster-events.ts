/** Which log entries tell what happened to the cluster itself. */

import type { LogEntry } from "../log-source.ts";

const CLUSTER_EVENT = /^(session|modules|takeover|cluster|storage|redis|child|death)\.[a-z-]+$/;

export function isClusterEvent({ msg, pid }: LogEntry): boolean {
  // What a module logs carries its pid; of a process's own events only its quarantine is the cluster's business.
  return pid === undefined ? CLUSTER_EVENT.test(msg) || msg === "process.quarantined" : msg === "process.quarantined";
}
