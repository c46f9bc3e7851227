/** Which log entries tell what happened to the cluster itself. */

import type { LogEntry } from "@genserverless/shared/logs/log-entry.ts";

/** The names under which the nodes emit it. */
const CLUSTER_EVENT = /^(session|modules?|process(es)?|store|cluster|redis|node)\.[a-z-]+$/;

/** What has a pid is of that process, and told in its log; only its quarantine is the cluster's business too. */
export function isClusterEvent({ msg, pid }: Pick<LogEntry, "msg" | "pid">): boolean {
  return msg === "process.quarantined" || (pid === undefined && CLUSTER_EVENT.test(msg));
}
