/**
 * What a worker has done since its last heartbeat, in the words of the heartbeat: how many turns a second and how long they
 * took, how long their messages had waited, which processes were the busiest. What it has done since it started is beside it.
 *
 * The busiest are found without a sort of all: at most `MOST_COUNTED` processes are counted between two beats, those that
 * came first, and the ten with the most turns are told.
 */

import type { Pid } from "@genserverless/shared/process/pid.ts";
import { Durations } from "@genserverless/shared/service/durations.ts";

/** One turn that has ended. */
export interface TurnFacts {
  pid: Pid;
  module: string;
  ms: number;
  /** How long its message had waited; undefined for what was not queued to be handled at once. */
  waitMs: number | undefined;
  isFailed: boolean;
}

interface Tally {
  pid: Pid;
  turns: number;
  failed: number;
}

type Listener = (turn: TurnFacts) => void;

const MOST_COUNTED = 20_000;
const TOLD = 10;

export class Meter {
  /** Since the worker started. */
  takeovers = 0;
  readonly #durations = new Durations();
  readonly #waits = new Durations();
  readonly #listeners = new Set<Listener>();
  #tallies = new Map<Pid, Tally>();
  #failures = 0;
  #takenAt = performance.now();

  /** Calls the listener for each turn from now on. */
  listen(listener: Listener): void {
    this.#listeners.add(listener);
  }

  noteTurn(turn: TurnFacts): void {
    this.#durations.note(turn.ms);
    if (turn.waitMs !== undefined) this.#waits.note(turn.waitMs);
    if (turn.isFailed) this.#failures += 1;
    this.#count(turn);
    for (const listen of this.#listeners) listen(turn);
  }

  /** For the heartbeat; begins anew. */
  take(): Record<string, string | number> {
    const now = performance.now();
    const seconds = Math.max(0.001, (now - this.#takenAt) / 1_000);
    const { count, p50Ms, p99Ms } = this.#durations.take();
    const busiest = findBusiest(this.#tallies);
    this.#tallies = new Map();
    this.#takenAt = now;
    return {
      rate: round(count / seconds),
      p50Ms: round(p50Ms),
      p99Ms: round(p99Ms),
      waitMs: round(this.#waits.take().p99Ms),
      failures: this.#failures,
      takeovers: this.takeovers,
      top: JSON.stringify(busiest),
    };
  }

  #count({ pid, isFailed }: TurnFacts): void {
    let tally = this.#tallies.get(pid);
    if (!tally) {
      if (this.#tallies.size >= MOST_COUNTED) return;
      tally = { pid, turns: 0, failed: 0 };
      this.#tallies.set(pid, tally);
    }
    tally.turns += 1;
    if (isFailed) tally.failed += 1;
  }
}

function findBusiest(tallies: ReadonlyMap<Pid, Tally>): Tally[] {
  const busiest: Tally[] = [];
  for (const tally of tallies.values()) {
    const least = busiest.at(-1);
    if (busiest.length === TOLD && least && tally.turns <= least.turns) continue;
    const at = busiest.findIndex(({ turns }) => turns < tally.turns);
    busiest.splice(at === -1 ? busiest.length : at, 0, tally);
    busiest.length = Math.min(busiest.length, TOLD);
  }
  return busiest;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
