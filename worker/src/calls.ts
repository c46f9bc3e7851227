/**
 * What a turn waits for: another process's reply, start or stop. Its id is derived from the turn and from what is asked, so
 * that a turn that runs again asks under the same ids and gets the same answers; and the deadline of whoever waits for this
 * turn is carried along. Where a message is tried again because its turn failed, what was answered then is not asked twice,
 * and what was refused is asked anew.
 *
 * Nobody waits in a circle. A message carries the chain of the processes whose turns wait for it: asking one of those is
 * refused at once. Where a circle is closed from several ends at the same time no chain shows it; so a wait that lasts is
 * noted beside the process (`waits`), and whoever waits follows these notes. Each notes before it follows, so the last to
 * note sees the whole circle. A note counts only while its message is unsettled.
 */

import type { ClusterClock } from "@genserverless/shared/cluster/clock.ts";
import type { Messenger, TurnRequest } from "@genserverless/shared/cluster/messenger.ts";
import { deriveMessageId, partitionOfMessage } from "@genserverless/shared/process/message.ts";
import { readKnown } from "@genserverless/shared/process/outcome.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { RedisLink } from "@genserverless/shared/redis/connection.ts";
import { type Keys, mailboxName } from "@genserverless/shared/redis/keys.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { CallError } from "genserverless/runtime/turn-errors.ts";

export interface CallsOptions {
  link: RedisLink;
  keys: Keys;
  messenger: Messenger;
  clock: ClusterClock;
}

/** The turn that asks. */
export interface Asking {
  pid: Pid;
  incarnation: string;
  /** The same when the turn runs again. */
  turnId: string;
  /** Which try of its message this is, from 1. */
  attempt: number;
  /** The processes whose turns wait for this one. */
  chain: readonly Pid[];
  /** When this turn has to be done, in ms since the epoch. */
  deadline: number;
}

export interface Question<T> {
  turn: Asking;
  target: Pid;
  /** Which of the turn's questions this is, and what it asks. */
  question: string;
  timeoutMs: number;
  send: (request: TurnRequest) => Promise<T>;
}

const NOTE_AFTER_MS = 100;
const FOLLOW_EVERY_MS = 200;
const LONGEST_CHAIN = 100;
/** Longer than any call. */
const NOTE_MS = 660_000;

export class Calls {
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** Rejects with a CallError. */
  async ask<T>({ turn, target, question, timeoutMs, send }: Question<T>): Promise<T> {
    const { clock } = this.#options;
    const chain = [...turn.chain, turn.pid];
    if (chain.includes(target)) throw cycle([...chain.slice(chain.indexOf(target)), target]);
    const leftMs = Math.floor(Math.min(timeoutMs, turn.deadline - clock.now()));
    if (leftMs < 1) throw new CallError("call_timeout", `no time is left to ask ${target}`);
    const id = await this.#idOf(turn, target, question);
    const watch = new CycleWatch(this.#options, turn.pid, target, id);
    try {
      const sent = send({ id, timeoutMs: leftMs, chain });
      sent.catch(() => {});
      return await Promise.race([sent, watch.found]);
    } catch (error) {
      if (watch.cycle) throw watch.cycle;
      throw error instanceof ClusterError ? new CallError(error.code, error.message) : error;
    } finally {
      watch.stop();
    }
  }

  async #idOf({ pid, incarnation, turnId, attempt }: Asking, target: Pid, question: string): Promise<string> {
    const partition = this.#options.keys.partitionOf(target);
    const name = `${mailboxName(pid, incarnation)} ${turnId} ${question}`;
    let id = deriveMessageId(partition, target, "turn", name);
    for (let next = 2; next <= attempt && (await this.#isRefused(id)); next++) {
      id = deriveMessageId(partition, target, "turn", `${name} try ${next}`);
    }
    return id;
  }

  async #isRefused(id: string): Promise<boolean> {
    const { link, keys } = this.#options;
    const known = await link.call<string | null>("get", keys.outcome(partitionOfMessage(id) ?? 0, id));
    const outcome = known === null ? undefined : readKnown(known).outcome;
    return outcome !== undefined && outcome.status !== "done";
  }

  /** Who is in a group now. */
  async members(group: string): Promise<Pid[]> {
    return await this.#options.link.call<Pid[]>("hkeys", this.#options.keys.group(group));
  }
}

/** Notes a wait that lasts, and looks again and again whether it is part of a circle. */
class CycleWatch {
  readonly found: Promise<never>;
  /** The circle for whose sake the message is taken back, whose outcome may be known before `found` is. */
  cycle: CallError | undefined;
  readonly #options: CallsOptions;
  readonly #key: string;
  #timer: NodeJS.Timeout;
  #isNoted = false;
  #isOver = false;
  readonly #id: string;

  constructor(options: CallsOptions, pid: Pid, target: Pid, id: string) {
    this.#options = options;
    this.#id = id;
    const { keys } = options;
    this.#key = keys.waits(keys.partitionOf(pid), pid);
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.found = promise;
    const look = async () => {
      const chain = await this.#look(pid, target).catch(() => undefined);
      if (chain && !this.#isOver) await this.#giveUp(chain);
      if (this.#isOver) return;
      if (this.cycle) reject(this.cycle);
      else this.#timer = setTimeout(look, FOLLOW_EVERY_MS);
    };
    this.#timer = setTimeout(look, NOTE_AFTER_MS);
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (this.#isNoted) this.#options.link.call("hdel", this.#key, this.#id).catch(() => {});
  }

  async #look(pid: Pid, target: Pid): Promise<Pid[] | undefined> {
    const { link } = this.#options;
    if (!this.#isNoted) {
      await Promise.all([link.call("hset", this.#key, this.#id, target), link.call("pexpire", this.#key, NOTE_MS)]);
      this.#isNoted = true;
    }
    const chain = await this.#follow(pid, [pid, target]);
    return chain && (await this.#isUnsettled(this.#id)) ? chain : undefined;
  }

  /** The asker is told where its message was taken back: one that is in hand already will be answered. */
  async #giveUp(chain: readonly Pid[]): Promise<void> {
    this.cycle = cycle(chain);
    try {
      await this.#options.messenger.cancel(this.#id);
    } catch {
      this.cycle = undefined;
    }
  }

  /** The way from the last of `path` back to `home`, or undefined. */
  async #follow(home: Pid, path: Pid[]): Promise<Pid[] | undefined> {
    const { link, keys } = this.#options;
    const last = path.at(-1) as Pid;
    const waits = await link.call<Record<string, Pid>>("hgetall", keys.waits(keys.partitionOf(last), last));
    for (const [id, next] of Object.entries(waits)) {
      if (path.length > LONGEST_CHAIN || (next !== home && path.includes(next))) continue;
      if (!(await this.#isUnsettled(id))) continue;
      const chain = next === home ? [...path, home] : await this.#follow(home, [...path, next]);
      if (chain) return chain;
    }
    return undefined;
  }

  async #isUnsettled(id: string): Promise<boolean> {
    const { link, keys } = this.#options;
    const known = await link.call<string | null>("get", keys.outcome(partitionOfMessage(id) ?? 0, id));
    return known?.startsWith("q|") ?? false;
  }
}

function cycle(chain: readonly Pid[]): CallError {
  return new CallError("call_cycle", `these would wait for each other: ${chain.join(" → ")}`);
}
