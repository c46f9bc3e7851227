/** A cluster with a console that listens, for the tests in a browser and for the pictures of the documentation. */

import { join } from "node:path";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { type Child, nodeChild } from "../tools/child.ts";
import { TestCluster, type TestClusterOptions } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

export const TOKEN = "token-that-may-act";
export const READ_TOKEN = "token-that-may-read";

const SCRIPT = join(import.meta.dirname, "../../sysmon/src/main.ts");
const SOON = { withinMs: 15_000 };

export class ConsoleCluster implements Part {
  readonly cluster: TestCluster;
  #sysmon: Child | undefined;
  url = "";

  constructor(options: TestClusterOptions = {}) {
    this.cluster = new TestCluster({ modulesDir: "modules:test/modules", ...options });
  }

  get sysmon(): Child {
    if (!this.#sysmon) throw new Error("the console has not been started");
    return this.#sysmon;
  }

  async start(): Promise<void> {
    await this.cluster.start();
    this.#sysmon = nodeChild({
      name: "sysmon",
      script: SCRIPT,
      env: {
        REDIS_URL: this.cluster.redisUrl,
        KEY_PREFIX: this.cluster.keyPrefix,
        SESSION_TTL_MS: "2000",
        NODE_NAME: "sysmon-1",
        SYSMON_PORT: "0",
        SYSMON_TOKEN: TOKEN,
        SYSMON_READ_TOKEN: READ_TOKEN,
        API_URL: this.cluster.apis[0]?.url ?? "",
      },
    });
    await this.#sysmon.start();
    const listening = await until(() => this.sysmon.stderr.find((line) => line.includes("web.listening")), SOON);
    this.url = (JSON.parse(listening) as { url: string }).url;
  }

  async stop(): Promise<void> {
    await this.#sysmon?.stop();
    await this.cluster.stop();
  }
}
