/** The status of a process, as every console and answer shows it. */
export type ProcessStatus = "starting" | "running" | "idle" | "paused" | "stopped" | "quarantined";

export const PROCESS_STATUSES: readonly ProcessStatus[] = [
  "starting",
  "running",
  "idle",
  "paused",
  "stopped",
  "quarantined",
];

/** What a record says: `stored` is its `s`, `hasMail` its `b`, `held` its `p`. */
export function readStatus(stored: string, hasMail: boolean, held: string): ProcessStatus {
  if (stored === "stopped") return "stopped";
  if (held === "paused" || held === "quarantined") return held;
  if (stored === "alive") return hasMail || held ? "running" : "idle";
  return "starting";
}
