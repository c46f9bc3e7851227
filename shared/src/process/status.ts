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
