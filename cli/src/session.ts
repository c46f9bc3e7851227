/** What a command works with: the client, its output, and how long an answer may take. */

import { Client, ConnectionError, type ReadOptions, type RequestOptions } from "genserverless/client";
import { Door } from "./door.ts";
import { Unreachable } from "./failure.ts";
import { FunctionsApi } from "./functions-api.ts";
import { Output } from "./output.ts";
import { type Flags, type Io, readSettings, type Settings } from "./settings.ts";

/** A person waits: better told soon than tried for long. */
const ATTEMPTS = 3;

export class Session implements AsyncDisposable {
  readonly io: Io;
  readonly settings: Settings;
  readonly output: Output;
  readonly client: Client;
  /** For what the client does not know. */
  readonly door: Door;
  /** Projects and their functions. */
  readonly functions: FunctionsApi;

  constructor(flags: Flags, io: Io) {
    this.io = io;
    this.settings = readSettings(flags, io.env);
    this.output = new Output(io, flags.json === true);
    const { url, token, timeoutMs } = this.settings;
    const options = { url, attempts: ATTEMPTS, ...(token === undefined ? {} : { token }) };
    this.client = new Client(options);
    this.door = new Door(options, timeoutMs);
    this.functions = new FunctionsApi(this.door, () => this.limits);
  }

  /** The options of one request: it ends when --timeout is over. */
  get limits(): ReadOptions {
    const { timeoutMs } = this.settings;
    return timeoutMs === undefined ? {} : { signal: AbortSignal.timeout(timeoutMs) };
  }

  /** The same for what is done at most once. */
  once({ idempotencyKey }: { idempotencyKey?: string }): RequestOptions {
    return { ...this.limits, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
  }

  /** A failure that a person can read: a connection that fails says where it wanted to go. */
  explain(error: unknown): unknown {
    if (!(error instanceof ConnectionError)) return error;
    return new Unreachable(`cannot reach the cluster at ${this.settings.url}: ${error.message}`, { cause: error });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.client.close(), this.door.close()]);
  }
}
