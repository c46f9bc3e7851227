/** A message that came with its wake-up: already in this worker's hand, if the lease it names is the one held here. */

import type { Fetched } from "@genserverless/shared/cluster/leases.ts";
import type { MessageKind } from "@genserverless/shared/process/message.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";

export interface Delivery {
  pid: Pid;
  epoch: string;
  revision: number;
  message: Fetched;
}

/** Reads what enqueue publishes: pid, epoch, revision, id, kind and envelope, a line each. It was queued just `now`. */
export function readDelivery(text: string, now: number): Delivery {
  const [pid, epoch, revision, id, kind, envelope] = text.split("\n") as [
    Pid,
    string,
    string,
    string,
    MessageKind,
    string,
  ];
  const message = { id, kind, envelope, deaths: 0, blame: "", tries: 0, queuedAt: now };
  return { pid, epoch, revision: Number(revision), message };
}
