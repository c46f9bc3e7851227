/**
 * The watch is where both skins look at the cluster. Time is cut into beats; the first look of a beat reads the cluster
 * once and everybody who looks during that beat gets the same picture, so that fifty browsers cost Redis what one costs,
 * and a sysmon that nobody looks at costs it nothing.
 *
 * A look never fails and never waits longer than `patienceMs`: where a read fails or takes longer, the picture is the last
 * good one, marked `away`. An overdue read is not doubled, and its late answer still counts; that it settles at all is
 * left to `readCluster`.
 *
 * The change from readable to away and back is told as an event, once each. How it is shown is left to the skins.
 */

import type { ClusterView } from "@genserverless/shared/inspect/views.ts";
import type { Events } from "@genserverless/shared/service/events.ts";

export interface Picture {
  /** The last good view; absent until there was one. */
  view?: ClusterView;
  /** How old `view` is; 0 where there is none. */
  ageMs: number;
  /** The newest read failed or is overdue: `view` is history. */
  away: boolean;
}

export interface WatchOptions {
  readCluster: () => Promise<ClusterView>;
  events: Events;
  beatMs?: number;
  patienceMs?: number;
  /** A clock that never goes back, in ms. */
  now?: () => number;
}

interface Attempt {
  startedAtMs: number;
  /** Settles when the read does or patience ends, and never rejects. */
  settled: Promise<void>;
  done: boolean;
}

export class Watch {
  readonly #readCluster: () => Promise<ClusterView>;
  readonly #events: Events;
  readonly #beatMs: number;
  readonly #patienceMs: number;
  readonly #now: () => number;
  #attempt: Attempt | undefined;
  #lastGood: { view: ClusterView; readAtMs: number } | undefined;
  #away = false;

  constructor(options: WatchOptions) {
    this.#readCluster = options.readCluster;
    this.#events = options.events;
    this.#beatMs = options.beatMs ?? 1000;
    this.#patienceMs = options.patienceMs ?? 1000;
    this.#now = options.now ?? (() => performance.now());
  }

  async look(): Promise<Picture> {
    if (!this.#attempt || this.#isOver(this.#attempt)) this.#attempt = this.#begin();
    await this.#attempt.settled;
    return this.#develop();
  }

  /** Whether a look now wants a read of its own. */
  #isOver({ startedAtMs, done }: Attempt): boolean {
    return done && Math.floor(this.#now() / this.#beatMs) !== Math.floor(startedAtMs / this.#beatMs);
  }

  #begin(): Attempt {
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    const attempt: Attempt = { startedAtMs: this.#now(), settled, done: false };
    const impatience = setTimeout(() => {
      this.#miss(`no answer within ${this.#patienceMs} ms`);
      resolve();
    }, this.#patienceMs);
    void this.#read().then(() => {
      clearTimeout(impatience);
      attempt.done = true;
      resolve();
    });
    return attempt;
  }

  async #read(): Promise<void> {
    try {
      const view = await this.#readCluster();
      if (view.redis.connected) this.#keep(view);
      else this.#miss("not connected");
    } catch (error) {
      this.#miss(error instanceof Error ? error.message : String(error));
    }
  }

  #keep(view: ClusterView): void {
    this.#lastGood = { view, readAtMs: this.#now() };
    if (this.#away) this.#events.emit("info", "cluster.readable");
    this.#away = false;
  }

  #miss(reason: string): void {
    if (!this.#away) this.#events.emit("warn", "cluster.unreadable", { reason });
    this.#away = true;
  }

  #develop(): Picture {
    if (!this.#lastGood) return { ageMs: 0, away: this.#away };
    const { view, readAtMs } = this.#lastGood;
    return { view, ageMs: Math.round(this.#now() - readAtMs), away: this.#away };
  }
}
