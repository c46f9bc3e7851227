/**
 * A process in this worker's memory: its lease, its state as an object for the next callback and as the text that was
 * last committed. The text is the truth; the object is a cache of it, thrown away whenever a turn did not commit.
 */

import type { Claimed, Fetched, Lease } from "@genserverless/shared/cluster/leases.ts";
import type { ServerModule } from "genserverless/server-module.ts";

export const LEAST_WIDTH = 4;
export const MOST_WIDTH = 32;

export class Activation {
  readonly module: ServerModule;
  readonly lease: Lease;
  readonly idleAfterMs: number;
  /** The state after the last turn, JSON text; undefined before init. */
  stateText: string | undefined;
  state: unknown;
  isStarting: boolean;
  /** The term that handleContinue is owed, JSON text, or "". */
  continueText: string;
  /** How many nodes have died with the continuation in hand. */
  readonly continueDeaths: number;
  /** How many messages the next fetch asks for: it grows while the mailbox stays full. */
  width = LEAST_WIDTH;
  lastUsedAt = 0;

  constructor(module: ServerModule, lease: Lease, claimed: Claimed) {
    this.module = module;
    this.lease = lease;
    this.stateText = claimed.stateText;
    this.state = claimed.stateText === undefined ? undefined : (JSON.parse(claimed.stateText) as unknown);
    this.isStarting = claimed.status === "starting";
    this.continueText = claimed.continueText;
    this.continueDeaths = claimed.continueDeaths;
    this.idleAfterMs = readIdleAfterMs(claimed.optionsText) ?? module.idleAfterMs;
  }

  /** Takes the object that a turn returned, with its text. */
  accept(state: unknown, stateText: string): void {
    this.state = state;
    this.stateText = stateText;
  }

  /** Forgets what a failed turn may have done to the object. */
  restore(): void {
    if (this.stateText !== undefined) this.state = JSON.parse(this.stateText);
  }

  adaptWidth(fetched: readonly Fetched[]): void {
    if (fetched.length >= this.width) this.width = Math.min(this.width * 2, MOST_WIDTH);
    else this.width = Math.max(LEAST_WIDTH, fetched.length);
  }
}

function readIdleAfterMs(optionsText: string): number | undefined {
  if (!optionsText) return undefined;
  return (JSON.parse(optionsText) as { idleAfterMs?: number }).idleAfterMs;
}
