/**
 * The outcomes that this node waits for. One arrives as a publication, or is found by looking: `lookForAll` after a gap,
 * and once a second for what has been waiting that long. A message that is found to be unknown – Redis lost it – is sent
 * again by whoever waits for it.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { type Outcome, readKnown } from "../process/outcome.ts";
import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import { ClusterError } from "../service/errors.ts";

/** One caller's wait for one outcome. */
export interface Expectation {
  outcome: Promise<Outcome>;
  /** The message is in the mailbox: from now on Redis should know it. */
  accept(): void;
  /** Ends the wait; to be called however it ends. */
  forget(): void;
}

interface Expected {
  partition: number;
  since: number;
  isAccepted: boolean;
  sendAgain: () => Promise<unknown>;
  resolve: (outcome: Outcome) => void;
  reject: (error: unknown) => void;
}

const LOOK_AFTER_MS = 1_000;

export class Waiting {
  readonly #link: RedisLink;
  readonly #keys: Keys;
  /** Several callers may wait for one message: those that sent the same Idempotency-Key. */
  readonly #expected = new Map<string, Expected[]>();
  #looking: NodeJS.Timeout | undefined;
  #serverChangedAt = 0;

  constructor(link: RedisLink, keys: Keys) {
    this.#link = link;
    this.#keys = keys;
  }

  /** Redis is not the one it was. */
  noteServerChanged(): void {
    this.#serverChangedAt = Date.now();
  }

  start(): void {
    this.#looking = setInterval(() => this.#look(Date.now() - LOOK_AFTER_MS), LOOK_AFTER_MS);
  }

  /** Whoever still waits is told that the outcome is not known here. */
  stop(): void {
    clearInterval(this.#looking);
    for (const [id, waiting] of this.#expected) {
      const error = new ClusterError("outcome_unknown", `this node leaves; ask for the outcome of ${id}`, id);
      for (const { reject } of waiting) reject(error);
    }
  }

  /** Its outcome rejects with `call_timeout` in time. To be registered before the message is sent. */
  expect(partition: number, id: string, timeoutMs: number, sendAgain: () => Promise<unknown>): Expectation {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const timer = setTimeout(() => reject(timedOut(id, timeoutMs)), timeoutMs);
    const expected: Expected = { partition, since: Date.now(), isAccepted: false, sendAgain, resolve, reject };
    const others = this.#expected.get(id);
    if (others) others.push(expected);
    else this.#expected.set(id, [expected]);
    // The sender may fail first; then nobody waits for this.
    promise.catch(() => {});
    const forget = () => {
      clearTimeout(timer);
      const left = this.#expected.get(id)?.filter((other) => other !== expected) ?? [];
      if (left.length > 0) this.#expected.set(id, left);
      else this.#expected.delete(id);
    };
    const accept = () => {
      expected.isAccepted = true;
    };
    return { outcome: promise, accept, forget };
  }

  /** Takes a publication: a JSON list of {id, outcome}. */
  receive(text: string): void {
    for (const { id, outcome } of JSON.parse(text) as { id: string; outcome: Outcome }[]) {
      for (const expected of this.#expected.get(id) ?? []) expected.resolve(outcome);
    }
  }

  /** Waits for the outcome of a message whose reply goes to somebody else. */
  async poll(partition: number, id: string, timeoutMs: number): Promise<Outcome> {
    const until = Date.now() + timeoutMs;
    for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.5, 250)) {
      const outcome = await this.#find(partition, id).catch(() => undefined);
      if (outcome) return outcome;
      if (Date.now() + pauseMs > until) throw timedOut(id, timeoutMs);
      await sleep(pauseMs);
    }
  }

  lookForAll(): void {
    this.#look(Date.now());
  }

  #look(since: number): void {
    for (const [id, [first]] of this.#expected) if (first && first.since <= since) void this.#lookFor(id, first);
  }

  async #lookFor(id: string, first: Expected): Promise<void> {
    const outcome = await this.#find(first.partition, id).catch(() => undefined);
    if (outcome) for (const expected of this.#expected.get(id) ?? []) expected.resolve(outcome);
    else if (outcome === null && first.isAccepted && this.#expected.has(id)) this.#noteUnknown(id, first);
  }

  /**
   * Redis knows nothing of an accepted message. After Redis was restarted it may have lost it: then it is sent again.
   * Otherwise it was handled, and its outcome is no longer kept: sending it again would handle it twice.
   */
  #noteUnknown(id: string, { since, sendAgain, reject }: Expected): void {
    if (this.#serverChangedAt >= since) sendAgain().catch(reject);
    else reject(new ClusterError("outcome_unknown", `the outcome of ${id} is no longer kept`, id));
  }

  /** The outcome; undefined while the message waits; null where nothing is known of it. */
  async #find(partition: number, id: string): Promise<Outcome | undefined | null> {
    const known = await this.#link.call<string | null>("get", this.#keys.outcome(partition, id));
    return known === null ? null : readKnown(known).outcome;
  }
}

function timedOut(id: string, timeoutMs: number): ClusterError {
  return new ClusterError("call_timeout", `no reply within ${timeoutMs} ms; the message may still be handled`, id);
}
