/** The floor: the cluster's own load balancer and Redis, and between them one Express server without any promise. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { renderConfig } from "@genserverless/haproxy/render.ts";
import { findFreePort } from "@genserverless/local/ports.ts";
import { ensureServers } from "@genserverless/local/servers.ts";
import { Lifecycle } from "@genserverless/shared/service/lifecycle.ts";
import type { Redis } from "ioredis";
import { Child, nodeChild } from "../../../test/tools/child.ts";
import { RedisServer } from "../../../test/tools/redis-server.ts";
import { until } from "../../../test/tools/until.ts";
import { type HttpRequest, postJson } from "../load/http-connection.ts";
import { redisOptions } from "../settings.ts";
import type { System } from "../system.ts";

const UP_WITHIN_MS = 15_000;

export class Floor implements System {
  readonly name = "floor";
  readonly #redisServer = new RedisServer(redisOptions());
  #children: Child[] = [];
  #parts: Lifecycle | undefined;
  #folder = "";
  #port = 0;
  #redis: Redis | undefined;

  async start(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "floor-"));
    await this.#redisServer.start();
    this.#redis = this.#redisServer.connect();
    this.#port = await findFreePort();
    const serverPort = await findFreePort();
    const server = nodeChild({
      name: "floor-server",
      script: join(import.meta.dirname, "server.ts"),
      env: { REDIS_URL: this.#redisServer.url, PORT: String(serverPort), NODE_ENV: "production" },
    });
    this.#children = [server, await this.#planBalancer(serverPort)];
    this.#parts = new Lifecycle(this.#children);
    await this.#parts.start();
    await server.untilLine(/listening/, { withinMs: UP_WITHIN_MS });
    const isUp = async () => (await fetch(`http://127.0.0.1:${this.#port}/health`)).ok;
    await until(isUp, { withinMs: UP_WITHIN_MS, what: "the floor answers" });
  }

  async stop(): Promise<void> {
    await this.#parts?.stop();
    await this.#redisServer.stop();
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }

  get address(): { host: string; port: number } {
    return { host: "127.0.0.1", port: this.#port };
  }

  get redis(): Redis {
    if (!this.#redis) throw new Error("the floor was never started");
    return this.#redis;
  }

  get rootPids(): number[] {
    return [this.#redisServer.pid, ...this.#children.map(({ pid }) => pid)];
  }

  startRequest(key: string): HttpRequest {
    return this.addRequest(key);
  }

  addRequest(key: string): HttpRequest {
    return postJson(`/v1/processes/accumulator/${key}/call`, { message: { add: 1 } });
  }

  async readTotals(keys: readonly string[]): Promise<number[]> {
    const totals = await this.redis.mget([...keys]);
    return totals.map((total) => Number(total ?? 0));
  }

  /** It keeps nothing in memory. */
  async untilAllPassivated(): Promise<void> {}

  async #planBalancer(serverPort: number): Promise<Child> {
    const { haproxy } = await ensureServers(["haproxy"]);
    const file = join(this.#folder, "haproxy.cfg");
    const statsBind = `127.0.0.1:${await findFreePort()}`;
    const apis = [`127.0.0.1:${serverPort}`];
    const config = renderConfig({ bind: `127.0.0.1:${this.#port}`, statsBind, apis });
    // There is no other server that could take over from one that is slow to answer a check.
    await writeFile(file, config.replace(/^\s*default-server check .*$/m, ""));
    return new Child({ name: "haproxy", command: haproxy, args: ["-db", "-f", file] });
  }
}
