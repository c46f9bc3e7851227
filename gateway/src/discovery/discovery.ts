/**
 * Asks the user function what it wants to be served, until it says so, and again whenever its connection was lost.
 *
 *     asking ──answer──► served ──connection lost, or silent──► asking …
 *        │ refused: told by name, asked again when the connection changes, or after `REFUSED_PAUSE_MS`
 *        └ away: asked again after a pause that grows, told once
 *
 * The later protocol is tried first; a user function that does not know it is asked in the first one.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Backoff } from "../config.ts";
import {
  type Connection,
  isLate,
  isTooLarge,
  isUnimplemented,
  type RemoteMethod,
  UnreadableAnswer,
} from "../user-function/connection.ts";
import { codecOf } from "../user-function/wire.ts";
import {
  type EntitySpec,
  type FirstEntitySpec,
  readFirstSpec,
  readSpec,
  type Spec,
  SpecError,
  SUPPORTED_TYPES,
} from "./spec.ts";

export interface DiscoveryOptions {
  connection: Connection;
  address: string;
  backoff: Backoff;
  events: Events;
  /** Takes what is to be served from now on; may reject with SpecError. Called at once when the first answer comes, then whenever it is another. */
  onSpec(spec: Spec): Promise<void>;
}

/**
 * A user function that is put right is another process, so its connection is new, and that is noticed at once. The pause is
 * for one behind a proxy, whose connection stays: nothing changes by itself, and each question is told in its log.
 */
const REFUSED_PAUSE_MS = 30_000;
const ANSWER_WITHIN_MS = 10_000;
/** For a server that ends its connection after each answer. */
const LOST_PAUSE_MS = 50;

const Empty = codecOf<object>("google.protobuf.Empty");
const DISCOVER: RemoteMethod<object, EntitySpec> = {
  path: "/cloudstate.EntityDiscovery/discover",
  request: codecOf("cloudstate.ProxyInfo"),
  response: codecOf("cloudstate.EntitySpec"),
};
const READY: RemoteMethod<object, FirstEntitySpec> = {
  path: "/lightbend.serverless.Entity/ready",
  request: Empty,
  response: codecOf("lightbend.serverless.EntitySpec"),
};
const REPORT_ERROR: RemoteMethod<{ message: string }, object> = {
  path: "/cloudstate.EntityDiscovery/reportError",
  request: codecOf("cloudstate.UserFunctionError"),
  response: Empty,
};
const PROXY_INFO = {
  protocolMajor: 0,
  protocolMinor: 2,
  proxyName: "genserverless",
  proxyVersion: "0.1.0",
  supportedEntityTypes: SUPPORTED_TYPES,
};

export class Discovery implements Part {
  readonly #options: DiscoveryOptions;
  readonly #stopping = new AbortController();
  #asking: Promise<void> = Promise.resolve();
  #fingerprint = "";
  #lastRefusal = "";
  #isWaiting = false;
  #isReachable = false;
  #isDoubted = false;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** Whether the user function has answered, and its connection has not been lost since. */
  get isReachable(): boolean {
    return this.#isReachable;
  }

  async start(): Promise<void> {
    this.#asking = this.#askForEver();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#asking;
  }

  /** Tells the user function of an error of its own, where its protocol has a way to. */
  report(message: string): void {
    this.#options.connection.ask(REPORT_ERROR, { message }, ANSWER_WITHIN_MS).catch(() => {});
  }

  /**
   * A command was not answered. That may be its own fault; but a connection whose other end has vanished, or stands still,
   * does not say so by itself.
   */
  async doubt(): Promise<void> {
    if (this.#isDoubted || !this.#isReachable) return;
    this.#isDoubted = true;
    const { connection } = this.#options;
    const isSilent = await connection.ask(DISCOVER, PROXY_INFO, ANSWER_WITHIN_MS).then(() => false, isLate);
    if (isSilent && !this.#isStopping) connection.reset();
    this.#isDoubted = false;
  }

  async #askForEver(): Promise<void> {
    const { connection, events, address, backoff } = this.#options;
    for (let failures = 0; !this.#isStopping; ) {
      const answer = await this.#until(this.#ask());
      if (this.#isStopping) return;
      if (answer === "served") {
        failures = 0;
        await this.#until(connection.untilLost());
        if (this.#isStopping) return;
        this.#isReachable = false;
        events.emit("info", "user-function.lost", { address });
        await this.#sleep(LOST_PAUSE_MS);
      } else if (answer === "refused") {
        failures = 0;
        await this.#until(Promise.race([connection.untilLost(), this.#sleep(REFUSED_PAUSE_MS)]));
      } else {
        await this.#sleep(pauseMs(backoff, failures++, Math.random()));
      }
    }
  }

  async #ask(): Promise<"served" | "refused" | "away"> {
    const { connection, events, address } = this.#options;
    try {
      const spec = await this.#discover();
      const isNew = spec.fingerprint !== this.#fingerprint;
      if (!this.#isReachable) connection.renew();
      this.#isReachable = true;
      this.#isWaiting = false;
      if (isNew) await this.#serve(spec);
      else events.emit("info", "user-function.found", { address });
      return "served";
    } catch (error) {
      if (error instanceof SpecError) {
        this.refuse([error.message]);
        return "refused";
      }
      this.#noteAway(error as Error);
      return "away";
    }
  }

  async #serve(spec: Spec): Promise<void> {
    try {
      await this.#options.onSpec(spec);
    } catch (error) {
      // Its port is taken, say: tried again like everything else.
      const isRefusal = error instanceof SpecError;
      if (!isRefusal) this.#options.events.emit("error", "gateway.closed", { reason: (error as Error).message });
      throw error;
    }
    this.#fingerprint = spec.fingerprint;
  }

  async #discover(): Promise<Spec> {
    const { connection } = this.#options;
    try {
      return readSpec(await connection.ask(DISCOVER, PROXY_INFO, ANSWER_WITHIN_MS));
    } catch (error) {
      if (!isUnimplemented(error)) throw toSpecError(error);
    }
    try {
      return readFirstSpec(await connection.ask(READY, {}, ANSWER_WITHIN_MS));
    } catch (error) {
      if (isUnimplemented(error)) throw new SpecError("it speaks neither cloudstate nor lightbend.serverless");
      throw toSpecError(error);
    }
  }

  /** Tells what is not served, in the log and to the user function, once for as long as it is the same. */
  refuse(faults: readonly string[]): void {
    const text = faults.join("; ");
    if (text === this.#lastRefusal) return;
    this.#lastRefusal = text;
    for (const fault of faults) {
      this.#options.events.emit("error", "discovery.refused", { address: this.#options.address, reason: fault });
      this.report(fault);
    }
  }

  #noteAway(error: Error): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const { events, address } = this.#options;
    events.emit("info", "discovery.waiting", { address, reason: error.message });
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  #sleep(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  /** As `fact`, or when it is to stop. */
  async #until<T>(fact: Promise<T>): Promise<T | undefined> {
    const { signal } = this.#stopping;
    const stopped = Promise.withResolvers<undefined>();
    const stop = () => stopped.resolve(undefined);
    signal.addEventListener("abort", stop);
    const first = signal.aborted ? undefined : await Promise.race([fact, stopped.promise]);
    signal.removeEventListener("abort", stop);
    return first;
  }
}

/** Before the next attempt; `chance` is from 0 to 1. */
export function pauseMs({ minMs, maxMs, randomFactor }: Backoff, failures: number, chance: number): number {
  return Math.min(maxMs, minMs * 2 ** Math.min(failures, 30)) * (1 + randomFactor * chance);
}

/** What is wrong with the answer itself, and will be with the next. */
function toSpecError(error: unknown): unknown {
  const { message } = error as Error;
  if (isTooLarge(error)) return new SpecError(`its answer is too large: ${message}`);
  if (error instanceof UnreadableAnswer) return new SpecError(`its answer cannot be read: ${message}`);
  return error;
}
