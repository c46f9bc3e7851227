/** The cluster as `npm start` runs it, on a Redis whose settings are the floor's. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "@genserverless/local/ports.ts";
import { type Pid, splitPid } from "@genserverless/shared/process/pid.ts";
import type { Redis } from "ioredis";
import { type Child, nodeChild } from "../../test/tools/child.ts";
import { type Answer, ClusterClient } from "../../test/tools/cluster-client.ts";
import { RedisServer } from "../../test/tools/redis-server.ts";
import { until } from "../../test/tools/until.ts";
import { type HttpRequest, postJson } from "./load/http-connection.ts";
import { describeSettings, redisOptions } from "./settings.ts";
import type { System } from "./system.ts";

const ROOT = join(import.meta.dirname, "../..");
const MODULE_FOLDERS = [join(ROOT, "modules"), join(ROOT, "bench/modules")];
const READY_WITHIN_MS = 60_000;
const PASSIVATED_WITHIN_MS = 120_000;
const READERS = 32;
const PAGE = 1_000;

export class OurCluster implements System {
  readonly name = "ours";
  readonly #workers: number;
  readonly #env: Record<string, string>;
  readonly #redisServer = new RedisServer(redisOptions());
  /** Over the load balancer, for what is not measured. */
  readonly client = new ClusterClient(() => [`http://127.0.0.1:${this.#port}`]);
  #npmStart: Child | undefined;
  #folder = "";
  #port = 0;
  #redis: Redis | undefined;

  /** `env` is more of npm start's settings. */
  constructor(workers = describeSettings().workers, env: Record<string, string> = {}) {
    this.#workers = workers;
    this.#env = env;
  }

  async start(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "bench-"));
    await this.#redisServer.start();
    this.#redis = this.#redisServer.connect();
    this.#port = await findFreePort();
    const { apis } = describeSettings();
    this.#npmStart = nodeChild({
      name: "npm start",
      script: join(ROOT, "local/src/main.ts"),
      cwd: ROOT,
      stopWithinMs: 90_000,
      env: {
        LB_PORT: String(this.#port),
        SYSMON_PORT: String(await findFreePort()),
        DATA_DIR: this.#folder,
        REDIS_URL: this.#redisServer.url,
        API_REPLICAS: String(apis),
        WORKER_REPLICAS: String(this.#workers),
        GATEWAY_REPLICAS: "0",
        MODULES_DIR: MODULE_FOLDERS.join(":"),
        NODE_ENV: "production",
        // The floor says nothing either.
        LOG_LEVEL: "warn",
        ...this.#env,
      },
    });
    await this.#npmStart.start();
    await this.#npmStart.untilLine(/^ready /, { withinMs: READY_WITHIN_MS });
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.#npmStart?.stop();
    await this.#redisServer.stop();
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }

  get address(): { host: string; port: number } {
    return { host: "127.0.0.1", port: this.#port };
  }

  get redis(): Redis {
    if (!this.#redis) throw new Error("the cluster was never started");
    return this.#redis;
  }

  get rootPids(): number[] {
    if (!this.#npmStart) throw new Error("the cluster was never started");
    return [this.#redisServer.pid, this.#npmStart.pid];
  }

  startRequest(key: string, options?: { idleAfterMs: number }): HttpRequest {
    return postJson("/v1/processes", { module: "accumulator", key, args: 1, options });
  }

  addRequest(key: string): HttpRequest {
    return postJson(`/v1/processes/accumulator/${key}/call`, { message: { add: 1 } });
  }

  startProcessRequest(pid: Pid): HttpRequest {
    const { module, key } = splitPid(pid);
    return postJson("/v1/processes", { module, key });
  }

  callRequest(pid: Pid, message: unknown): HttpRequest {
    return postJson(`/v1/processes/${pid}/call`, { message });
  }

  castRequest(pid: Pid, message: unknown): HttpRequest {
    return postJson(`/v1/processes/${pid}/cast`, { message });
  }

  async readTotals(keys: readonly string[]): Promise<number[]> {
    const totals = new Array<number>(keys.length);
    const left = keys.entries();
    const read = async () => {
      for (const [index, key] of left) totals[index] = readTotal(await this.client.read(`accumulator/${key}`));
    };
    await Promise.all(Array.from({ length: READERS }, read));
    return totals;
  }

  async untilAllPassivated(keys: readonly string[]): Promise<void> {
    const wanted = new Set(keys);
    const areAll = async () => {
      const asleep = (await this.#listKeysWithoutOwner()).filter((key) => wanted.has(key));
      if (asleep.length !== wanted.size) throw new Error(`${asleep.length} of ${wanted.size}`);
      return true;
    };
    await until(areAll, { withinMs: PASSIVATED_WITHIN_MS, everyMs: 1_000, what: "every process is passivated" });
  }

  async #listKeysWithoutOwner(): Promise<string[]> {
    const keys: string[] = [];
    let cursor: unknown;
    do {
      const path = `/v1/processes?module=accumulator&limit=${PAGE}${cursor ? `&cursor=${cursor}` : ""}`;
      const { status, body } = await this.client.get(path);
      if (status !== 200) throw new Error(`GET ${path} answers ${status} ${JSON.stringify(body)}`);
      const page = body["processes"] as { key: string; owner: string | null }[];
      keys.push(...page.filter(({ owner }) => owner === null).map(({ key }) => key));
      cursor = body["nextCursor"];
    } while (cursor);
    return keys;
  }
}

function readTotal({ status, body }: Answer): number {
  if (status === 404) return 0;
  const { acc } = (body["state"] ?? {}) as { acc?: number };
  if (status !== 200 || acc === undefined) throw new Error(`a read answers ${status} ${JSON.stringify(body)}`);
  return acc;
}
