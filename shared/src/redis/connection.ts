/**
 * A node's one command connection.
 *
 * States: down → (connected, scripts loaded, listeners told) → up → down … A command is sent only while up, and never
 * sent again by itself: whoever sent it knows best what a repeat would do. So a command fails in one of two ways, and the
 * difference matters to every caller: `RedisDown` – it was not sent – and `AnswerLost` – it was sent, and whether it ran
 * is not known. An answer that does not come within `silenceMs` is lost too: the socket is taken for dead.
 *
 * `onConnect` listeners run before the first command of a connection can be sent. They learn whether the server is still
 * the one they knew: after a restart of Redis, or with another server behind the address, `isSameServer` is false, and
 * whatever a node believes about leases is void.
 */

import { Command, Redis } from "ioredis";
import type { Events } from "../service/events.ts";
import type { Part } from "../service/lifecycle.ts";
import type { ScriptName, Scripts } from "./scripts.ts";

export type Argument = string | number | Buffer;

/** The command was not sent. */
export class RedisDown extends Error {
  override name = "RedisDown";
}

/** The command was sent; whether it ran is not known. */
export class AnswerLost extends Error {
  override name = "AnswerLost";
}

export interface Connected {
  isFirst: boolean;
  isSameServer: boolean;
}

export interface LinkOptions {
  url: string;
  /** Shown by CLIENT LIST. */
  name: string;
  scripts: Scripts;
  events: Events;
  /** How long a command may go unanswered before its socket is taken for dead, in ms. */
  silenceMs: number;
}

export function openRedis(options: Pick<LinkOptions, "url" | "name" | "silenceMs">): Redis {
  return new Redis(options.url, {
    lazyConnect: true,
    connectionName: options.name,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // Reject at once, on every lost connection, what was in flight on it.
    maxRetriesPerRequest: 0,
    connectTimeout: options.silenceMs,
    socketTimeout: options.silenceMs,
    retryStrategy: (attempt) => Math.min(10 * 2 ** attempt, 500),
  });
}

export class RedisLink implements Part {
  readonly #options: LinkOptions;
  readonly #redis: Redis;
  readonly #listeners = new Set<(connected: Connected) => void>();
  #noteRun: ((script: ScriptName, ms: number) => void) | undefined;
  #isUp = false;
  #wasDown = false;
  #runId: string | undefined;
  #untilUp: PromiseWithResolvers<void> | undefined;
  #isCorked = false;
  #lastError = "";

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#redis = openRedis(options);
    this.#redis.on("error", (error: Error) => this.#noteError(error));
    this.#redis.on("close", () => this.#noteDown());
    this.#redis.on("ready", () => this.#prepare());
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get options(): LinkOptions {
    return this.#options;
  }

  /** Called on each new connection, before the first command. Returns what takes the listener away. */
  onConnect(listener: (connected: Connected) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells one listener of each script that was answered, and how long that took. */
  onRun(listener: (script: ScriptName, ms: number) => void): void {
    this.#noteRun = listener;
  }

  /** Connects, and waits for Redis as long as it takes. */
  async start(): Promise<void> {
    const up = this.untilUp();
    this.#redis.connect().catch(() => {});
    await up;
  }

  async stop(): Promise<void> {
    this.#isUp = false;
    this.#redis.removeAllListeners("close");
    this.#redis.disconnect();
    this.#tellWaiting();
  }

  /** Resolves when a connection is up, or when the link is stopped. */
  untilUp(): Promise<void> {
    if (this.#isUp) return Promise.resolve();
    this.#untilUp ??= Promise.withResolvers<void>();
    return this.#untilUp.promise;
  }

  /** Runs a script. `keys` are its KEYS, `args` its ARGV. */
  async run<Reply>(name: ScriptName, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    const script = this.#options.scripts[name];
    const sentAt = performance.now();
    try {
      const reply = await this.#send<Reply>("evalsha", [script.sha, script.keyCount, ...keys, ...args]);
      this.#noteRun?.(name, performance.now() - sentAt);
      return reply;
    } catch (error) {
      if (!isReply(error, "NOSCRIPT")) throw error;
      return await this.#send<Reply>("eval", [script.source, script.keyCount, ...keys, ...args]);
    }
  }

  /** Sends one plain command. */
  call<Reply>(name: string, ...args: Argument[]): Promise<Reply> {
    return this.#send<Reply>(name, args);
  }

  async #send<Reply>(name: string, args: Argument[]): Promise<Reply> {
    if (!this.#isUp) throw new RedisDown(`Redis cannot be reached${this.#lastError && ` (${this.#lastError})`}`);
    try {
      return (await this.#write(name, args)) as Reply;
    } catch (error) {
      if (isReply(error)) throw error;
      throw new AnswerLost(`the answer of Redis was lost (${(error as Error).message})`);
    }
  }

  /** All commands of one tick leave in one write. */
  #write(name: string, args: Argument[]): Promise<unknown> {
    const { stream } = this.#redis;
    if (!this.#isCorked && stream) {
      this.#isCorked = true;
      stream.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        stream.uncork();
      });
    }
    return this.#redis.sendCommand(new Command(name, args, { replyEncoding: "utf8" })) as Promise<unknown>;
  }

  async #prepare(): Promise<void> {
    try {
      const info = await this.#redis.info("server");
      await Promise.all(Object.values(this.#options.scripts).map(({ source }) => this.#redis.script("LOAD", source)));
      const runId = /run_id:(\w+)/.exec(info)?.[1];
      const connected = { isFirst: this.#runId === undefined, isSameServer: this.#runId === runId };
      this.#runId = runId;
      if (this.#redis.status !== "ready") return;
      for (const listen of this.#listeners) listen(connected);
      this.#isUp = true;
      if (this.#wasDown) this.#options.events.emit("info", "redis.reached", { isSameServer: connected.isSameServer });
      this.#wasDown = false;
      this.#tellWaiting();
    } catch (error) {
      this.#noteError(error as Error);
      if (this.#redis.status === "ready") this.#redis.disconnect(true);
    }
  }

  #tellWaiting(): void {
    this.#untilUp?.resolve();
    this.#untilUp = undefined;
  }

  #noteDown(): void {
    this.#isUp = false;
    if (this.#wasDown) return;
    this.#wasDown = true;
    this.#options.events.emit("warn", "redis.unreachable", { reason: this.#lastError || "connection closed" });
  }

  #noteError(error: Error): void {
    this.#lastError = error.message || (error as NodeJS.ErrnoException).code || error.name;
  }
}

/** Whether an error is Redis's own answer, and begins with the given word. */
export function isReply(error: unknown, word = ""): boolean {
  return error instanceof Error && error.name === "ReplyError" && error.message.startsWith(word);
}
