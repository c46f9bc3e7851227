/** What the watchdog and its thread have in common; the thread loads no more than it needs. */

import type { ClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";

/** How the watchdog's thread asks, in the blocked code's own context, which turn it is in. */
export const CURRENT_TURN = "genserverless.currentTurn";

export interface WatchdogData {
  cluster: ClusterSettings;
  name: string;
  pulse: SharedArrayBuffer;
  limitMs: number;
}

/** What the node was doing when it was found blocked. */
export interface Blocked {
  pid: Pid | undefined;
  messageId: string;
  stack: string;
}
