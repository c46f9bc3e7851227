/**
 * A real redis-server of the tests' own, in a temporary folder, on a free port, with the cluster's own configuration.
 *
 * `kill` is a crash (SIGKILL), `restart` brings it back on the same port with what its file holds, and `snapshotAof`
 * takes a copy of the file as it is now, so that a later `restart({ from })` comes back with an older truth. `stop` ends
 * it and removes its folder, copies and all.
 */

import { cp, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { findFreePort } from "@genserverless/local/ports.ts";
import { ensureServers } from "@genserverless/local/servers.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Redis } from "ioredis";
import { Child } from "./child.ts";
import { until } from "./until.ts";

export interface RedisServerOptions {
  appendfsync?: "always" | "everysec" | "no";
  /** As redis.conf takes it, e.g. `64mb`; none by default. */
  maxmemory?: string;
  password?: string;
  /** A copy made by `snapshotAof` to start from. */
  from?: string;
}

/** What the cluster needs of Redis, wherever it runs. */
const CONFIG = join(import.meta.dirname, "../../local/redis.conf");
const UP_WITHIN_MS = 60_000;
/** The client is loaded when a test asks for one: most do not, and begin faster without. */
const require = createRequire(import.meta.url);
const APPEND_FOLDER = "appendonlydir";

export class RedisServer implements Part {
  readonly #options: RedisServerOptions;
  readonly #clients = new Set<Redis>();
  #folder = "";
  #port = 0;
  #copies = 0;
  #child: Child | undefined;

  constructor(options: RedisServerOptions = {}) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#child?.isAlive) return;
    this.#folder = await mkdtemp(join(tmpdir(), "redis-"));
    this.#port = await findFreePort();
    const programs = await ensureServers(["redis-server"]);
    const args = [CONFIG, ...this.#settings()];
    this.#child = new Child({ name: "redis-server", command: programs["redis-server"], args });
    await this.restart(this.#options.from === undefined ? {} : { from: this.#options.from });
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    this.#clients.clear();
    if (!this.#child) return;
    await this.#child.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** A crash: what was not yet written to the append-only file is gone. */
  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  /** Kills it if it is alive and starts it on the same port, with its own file or with an earlier copy of it. */
  async restart({ from }: { from?: string } = {}): Promise<void> {
    if (!this.#child) throw new Error("redis-server was never started");
    await this.#child.kill();
    if (from !== undefined) {
      const current = join(this.#folder, APPEND_FOLDER);
      await rm(current, { recursive: true, force: true });
      await cp(from, current, { recursive: true });
    }
    await this.#child.start();
    await this.#untilAnswers(this.#child);
  }

  async pause(): Promise<void> {
    await this.#child?.pause();
  }

  resume(): void {
    this.#child?.resume();
  }

  /** Copies the append-only file as it is at this moment and returns the copy's folder. */
  async snapshotAof(): Promise<string> {
    const copy = join(this.#folder, `copy-${++this.#copies}`);
    await cp(join(this.#folder, APPEND_FOLDER), copy, { recursive: true });
    return copy;
  }

  /** A client for the tests' own questions; it is closed with the server. */
  connect(): Redis {
    const { Redis } = require("ioredis") as typeof import("ioredis");
    const client = new Redis(this.url, { connectionName: "test", retryStrategy: () => 50 });
    client.on("error", () => {});
    this.#clients.add(client);
    return client;
  }

  get url(): string {
    const { password } = this.#options;
    return `redis://${password === undefined ? "" : `:${encodeURIComponent(password)}@`}127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    if (!this.#child) throw new Error("redis-server was never started");
    return this.#child.pid;
  }

  get isAlive(): boolean {
    return this.#child?.isAlive ?? false;
  }

  #settings(): string[] {
    const { appendfsync = "everysec", maxmemory, password } = this.#options;
    const settings = {
      port: this.#port,
      bind: "127.0.0.1",
      dir: this.#folder,
      appendfsync,
      // A rewrite in the middle of `snapshotAof` would leave a copy of two halves.
      "auto-aof-rewrite-percentage": 0,
      ...(maxmemory === undefined ? {} : { maxmemory }),
      ...(password === undefined ? {} : { requirepass: password }),
    };
    return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  }

  async #untilAnswers(child: Child): Promise<void> {
    const answers = async () => {
      if (!child.isAlive) throw new Error(`redis-server exited: ${child.lastWords()}`);
      return (await this.#ping()).includes("+PONG");
    };
    await until(answers, { withinMs: UP_WITHIN_MS, what: "redis-server answers PING" });
  }

  /** All that it answers before it hangs up; while it still reads its file that is an error of its own. */
  #ping(): Promise<string> {
    const { password } = this.#options;
    const login = password === undefined ? "" : `AUTH ${JSON.stringify(password)}\r\n`;
    const socket = connect(this.#port, "127.0.0.1");
    socket.write(`${login}PING\r\nQUIT\r\n`);
    return text(socket);
  }
}
