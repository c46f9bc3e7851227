/**
 * A cluster of real services for one test file: redis-server, api and worker nodes as operating-system processes, each
 * with its own port and name, under a key prefix of their own. With `throughProxy` every node reaches Redis through a
 * fault proxy, while the tests' own clients of Redis do not.
 *
 * Nodes come and go (`addApi`, `addWorker`, and a node's own stop, kill, pause and start). `stop` ends everything and
 * fails where a node does not leave by itself with exit code 0.
 */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findFreePort } from "@genserverless/local/ports.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { Child, type ChildOptions } from "./child.ts";
import { ClusterClient } from "./cluster-client.ts";
import { FaultProxy } from "./fault-proxy/fault-proxy.ts";
import { RedisServer, type RedisServerOptions } from "./redis-server.ts";
import { until } from "./until.ts";

export interface TestClusterOptions {
  apis?: number;
  workers?: number;
  redis?: RedisServerOptions;
  /** A Redis that is already there, instead of an own one. */
  redisUrl?: string;
  throughProxy?: boolean;
  /** The tests' own modules, `accumulator` and `stack` where none is given. */
  modulesDir?: string;
  sessionTtlMs?: number;
  /** More settings for every node. */
  env?: Record<string, string>;
}

const ROOT = join(import.meta.dirname, "../..");
const READY_WITHIN_MS = 60_000;
/** Those samples that need no schemas are among them: a node boots faster without. */
export const TEST_MODULES = "test/modules:test/modules/samples";

/** One api or worker. */
export class TestNode extends Child {
  /** Where an api listens; a worker has none. */
  readonly url: string | undefined;

  constructor(options: ChildOptions, url?: string) {
    super(options);
    this.url = url;
  }
}

export class TestCluster implements Part {
  readonly apis: TestNode[] = [];
  readonly workers: TestNode[] = [];
  readonly client: ClusterClient;
  readonly keyPrefix = `t${randomBytes(4).toString("hex")}`;
  readonly #options: TestClusterOptions;
  #redis: RedisServer | undefined;
  #proxy: FaultProxy | undefined;

  constructor(options: TestClusterOptions = {}) {
    this.#options = options;
    this.client = new ClusterClient(() => this.urls);
  }

  async start(): Promise<void> {
    const { apis = 1, workers = 1, redis, redisUrl, throughProxy = false } = this.#options;
    if (redisUrl === undefined) {
      this.#redis = new RedisServer({ password: "test-secret", ...redis });
      await this.#redis.start();
    }
    if (throughProxy) {
      this.#proxy = new FaultProxy(this.redisUrl);
      await this.#proxy.start();
    }
    await Promise.all([
      ...Array.from({ length: workers }, () => this.addWorker()),
      ...Array.from({ length: apis }, () => this.addApi()),
    ]);
    await this.untilReady();
    await Promise.all(this.workers.map(untilJoined));
  }

  async stop(): Promise<void> {
    this.#proxy?.heal();
    await this.client.close();
    const nodes = [...this.apis, ...this.workers].filter(({ isAlive }) => isAlive);
    const results = await Promise.allSettled(nodes.map(stopCleanly));
    await this.#proxy?.stop();
    await this.#redis?.stop();
    const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join("\n"));
  }

  /** The cluster's own Redis. */
  get redis(): RedisServer {
    if (!this.#redis) throw new Error("this cluster uses a Redis that is not its own, or has not started");
    return this.#redis;
  }

  get proxy(): FaultProxy {
    if (!this.#proxy) throw new Error("this cluster was built without throughProxy, or has not started");
    return this.#proxy;
  }

  /** Straight to Redis, past the proxy. */
  get redisUrl(): string {
    return this.#options.redisUrl ?? this.redis.url;
  }

  /** The urls of the apis that are alive. */
  get urls(): string[] {
    return this.apis.flatMap(({ url, isAlive }) => (url !== undefined && isAlive ? [url] : []));
  }

  /** Starts one more api; it may not be ready yet. */
  async addApi(env: Record<string, string> = {}): Promise<TestNode> {
    const port = await findFreePort();
    const url = `http://127.0.0.1:${port}`;
    return this.#addNode(this.apis, "api", { PORT: String(port), ...env }, url);
  }

  /** Starts one more worker; it may not have joined yet. */
  addWorker(env: Record<string, string> = {}): Promise<TestNode> {
    return this.#addNode(this.workers, "worker", env);
  }

  /** Each node is in the cluster as the process that it is now, also one that was started again. */
  async untilBack(withinMs = READY_WITHIN_MS): Promise<void> {
    const isBack = async () => {
      const { nodes } = (await this.client.get("/v1/cluster")).body as { nodes: { osPid: number }[] };
      return [...this.apis, ...this.workers].every(({ pid }) => nodes.some(({ osPid }) => osPid === pid));
    };
    await until(isBack, { withinMs, what: "each node is back" });
  }

  /** Every living api says that calls work. */
  async untilReady(withinMs = READY_WITHIN_MS): Promise<void> {
    const isReady = async (node: TestNode, url: string) => {
      if (!node.isAlive) throw new Error(`${node.name} has exited: ${node.lastWords()}`);
      const { status, body } = await this.client.get("/ready", { url });
      if (status !== 200)
        throw new Error(`${node.name} answers ${status} ${JSON.stringify(body)}: ${node.lastWords()}`);
      return true;
    };
    const living = this.apis.flatMap((node) => (node.url && node.isAlive ? [{ node, url: node.url }] : []));
    try {
      await Promise.all(
        living.map(({ node, url }) => until(() => isReady(node, url), { withinMs, what: `${node.name} is ready` })),
      );
    } catch (error) {
      const workers = this.workers.map((worker) => `${worker.name}: ${worker.lastWords()}`);
      throw new Error(`the cluster is not ready\n${workers.join("\n")}`, { cause: error });
    }
  }

  async #addNode(nodes: TestNode[], role: string, env: Record<string, string>, url?: string): Promise<TestNode> {
    const name = `${role}-${nodes.length + 1}`;
    const options = {
      name,
      command: process.execPath,
      args: [join(ROOT, role, "src/main.ts")],
      cwd: ROOT,
      env: { ...this.#settings(), NODE_NAME: name, ...this.#options.env, ...env },
    };
    const node = new TestNode(options, url);
    nodes.push(node);
    await node.start();
    return node;
  }

  #settings(): Record<string, string> {
    const { modulesDir = TEST_MODULES, sessionTtlMs = 2_000 } = this.#options;
    return {
      REDIS_URL: this.#proxy?.urlOf(this.redisUrl) ?? this.redisUrl,
      KEY_PREFIX: this.keyPrefix,
      SESSION_TTL_MS: String(sessionTtlMs),
      MODULES_DIR: modulesDir,
      DRAIN_MS: "50",
    };
  }
}

/** Calls work with one worker; the others are there too. */
async function untilJoined(worker: TestNode): Promise<void> {
  await worker.untilRecord(({ msg }) => msg === "session.registered", { withinMs: READY_WITHIN_MS, what: "it joins" });
}

async function stopCleanly(node: TestNode): Promise<void> {
  // One that was started a moment ago does not yet listen to signals; Node itself has to start first.
  await until(() => !node.isAlive || catchesSigterm(node.pid), { withinMs: 60_000 }).catch(() => {});
  await node.stop();
  const { code, signal } = await node.untilExit();
  if (code !== 0) throw new Error(`${node.name} left with ${signal ?? `code ${code}`}: ${node.lastWords()}`);
}

/** Whether a process has a handler for SIGTERM, which is signal 15. */
function catchesSigterm(osPid: number): boolean {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${osPid}/status`, "utf8"))?.[1] ?? "0";
  return (BigInt(`0x${caught}`) & (1n << 14n)) !== 0n;
}
