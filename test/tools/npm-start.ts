/** A cluster of `npm start` of the tests' own: its own ports, its own folder, on a Redis that the test may stop. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePorts } from "@genserverless/local/ports.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { type Child, nodeChild } from "./child.ts";
import { RedisServer } from "./redis-server.ts";

const ROOT = join(import.meta.dirname, "../..");
const READY = { withinMs: 120_000 };

export class NpmStart implements Part {
  readonly redis = new RedisServer({ appendfsync: "always", password: "test-secret" });
  readonly #settings: Record<string, string>;
  readonly #added: Child[] = [];
  #child: Child | undefined;
  /** What its commands are given to find it by. */
  env: Record<string, string> = {};

  constructor(settings: Record<string, string>) {
    this.#settings = settings;
  }

  async start(): Promise<void> {
    await this.redis.start();
    const [lbPort, sysmonPort] = await findFreePorts(2);
    this.env = {
      REDIS_URL: this.redis.url,
      LB_PORT: String(lbPort),
      SYSMON_PORT: String(sysmonPort),
      DATA_DIR: mkdtempSync(join(tmpdir(), "npm-start-")),
      GATEWAY_REPLICAS: "0",
      FUNCTIONS: "off",
      ...this.#settings,
    };
    this.#child = nodeChild({ name: "npm start", script: join(ROOT, "local/src/main.ts"), env: this.env });
    await this.#child.start();
    await this.#child.untilLine(/^ready /, READY);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#added.map((child) => child.stop()));
    await this.#child?.stop();
    await this.redis.stop();
    rmSync(this.env["DATA_DIR"] ?? "", { recursive: true, force: true });
  }

  /** The load balancer. */
  get url(): string {
    return `http://127.0.0.1:${this.env["LB_PORT"]}`;
  }

  get consoleUrl(): string {
    return `http://127.0.0.1:${this.env["SYSMON_PORT"]}`;
  }

  /** One more worker, on the same Redis. */
  async addWorker(name: string): Promise<Child> {
    const env = { ...this.env, NODE_NAME: name, MODULES_DIR: join(ROOT, "modules") };
    const worker = nodeChild({ name, script: join(ROOT, "worker/src/main.ts"), env });
    this.#added.push(worker);
    await worker.start();
    return worker;
  }

  /** What a child has said so far. */
  readLog(child: string): string {
    return readFileSync(join(this.env["DATA_DIR"] ?? "", `logs/${child}.log`), "utf8");
  }

  /** By name: which operating-system process each child is. */
  readChildren(): Map<string, number> {
    const lines = readFileSync(join(this.env["DATA_DIR"] ?? "", "children"), "utf8")
      .trim()
      .split("\n");
    return new Map(lines.map((line) => [line.split(" ")[2] ?? "", Number(line.split(" ")[0])]));
  }
}
