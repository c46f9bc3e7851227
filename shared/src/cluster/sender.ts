/**
 * Sends a message until it is known what became of it. The id decides about duplicates, so a message whose answer was lost
 * is sent again, for `LOST_ANSWER_MS`; then its sender is told `outcome_unknown`. What was certainly not sent waits only
 * as long as a connection takes to come back.
 */

import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageKind } from "../process/message.ts";
import type { Pid } from "../process/pid.ts";
import { AnswerLost, isReply, RedisDown, type RedisLink } from "../redis/connection.ts";
import { type Keys, moduleOf } from "../redis/keys.ts";
import { ClusterError } from "../service/errors.ts";

/** A message on its way into a mailbox. */
export interface OutgoingMessage {
  pid: Pid;
  partition: number;
  id: string;
  kind: MessageKind;
  envelope: string;
  /** Of the body, where an Idempotency-Key was given; else "". */
  hash: string;
  delayMs: number;
  traceparent: string | undefined;
}

/** What start and enqueue answer; the scripts say which words there are. */
export type Verdict = [verdict: string, detail: string, initId?: string];

export interface SenderOptions {
  link: RedisLink;
  keys: Keys;
  /** Whether the module exists at all, even if nobody runs it now. */
  knowsModule: (module: string) => boolean;
  /** Whether Redis is too full to take more. */
  isStorageFull: () => boolean;
}

const LOST_ANSWER_MS = 30_000;
const NO_WORKERS_GRACE_MS = 2_000;
/** How long a message waits for Redis before it is refused: longer than a connection takes to come back. */
const REDIS_GRACE_MS = 1_000;

export class Sender {
  readonly #options: SenderOptions;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** As `send`, where there is room; what is known already needs none. */
  async accept(message: OutgoingMessage, send: () => Promise<Verdict>): Promise<Verdict> {
    if (!this.#options.isStorageFull()) return await this.send(message, send);
    const known = message.hash ? await this.#findKnown(message) : null;
    if (known === null) throw new ClusterError("storage_full", "Redis is nearly full; try again later");
    return ["known", known];
  }

  async #findKnown({ partition, id }: OutgoingMessage): Promise<string | null> {
    const { link, keys } = this.#options;
    return await this.repeat(() => link.call<string | null>("get", keys.outcome(partition, id)), id);
  }

  /** Sends until it is known what became of it; refusals are thrown. */
  async send(message: OutgoingMessage, send: () => Promise<Verdict>): Promise<Verdict> {
    const graceEnds = Date.now() + NO_WORKERS_GRACE_MS;
    for (;;) {
      const verdict = await this.repeat(send, message.id);
      if (verdict[0] !== "no_workers") return this.#checkVerdict(verdict, message);
      const module = moduleOf(message.pid);
      if (!this.#options.knowsModule(module))
        throw new ClusterError("unknown_module", `there is no module "${module}"`);
      if (Date.now() > graceEnds) throw new ClusterError("no_workers", `no live worker runs the module "${module}"`);
      await sleep(100);
    }
  }

  #checkVerdict(verdict: Verdict, { pid, id }: OutgoingMessage): Verdict {
    switch (verdict[0]) {
      case "no_process":
        throw new ClusterError("no_process", `there is no process ${pid}`);
      case "mailbox_full":
        throw new ClusterError("mailbox_full", `the mailbox of ${pid} is full`);
      case "queued":
      case "known":
      case "exists":
        return verdict;
      default:
        throw new ClusterError("internal_error", `unexpected verdict ${verdict[0]}`, id);
    }
  }

  /** Sends until there is an answer, for so long as a repeat can do no harm. */
  async repeat<T>(send: () => Promise<T>, id: string): Promise<T> {
    const until = Date.now() + LOST_ANSWER_MS;
    const graceEnds = Date.now() + REDIS_GRACE_MS;
    for (let wasSent = false; ; ) {
      try {
        return await send();
      } catch (error) {
        // A message whose first answer was lost may have been accepted before Redis was full.
        const isFull = isReply(error, "OOM");
        if (isFull && !wasSent) throw new ClusterError("storage_full", "Redis is full; try again later");
        if (error instanceof AnswerLost) wasSent = true;
        else if (!isFull && !(error instanceof RedisDown)) throw error;
        if (!wasSent && Date.now() > graceEnds) throw new ClusterError("redis_unavailable", "Redis cannot be reached");
        if (Date.now() > until) {
          throw new ClusterError("outcome_unknown", `whether ${id} was accepted is not known`, id);
        }
        await Promise.race([this.#options.link.untilUp(), sleep(REDIS_GRACE_MS, undefined, { ref: false })]);
        await sleep(randomInt(1, 20));
      }
    }
  }
}
