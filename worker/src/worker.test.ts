import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createNode, type Node } from "@genserverless/shared/cluster/node.ts";
import { readClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { StateStores } from "@genserverless/shared/stores/state-stores.ts";
import { NO_TRACER } from "@genserverless/shared/trace/tracer.ts";
import { loadModules } from "genserverless/load-modules.ts";
import { assertNoChildLeft } from "../../test/tools/child.ts";
import { RedisServer } from "../../test/tools/redis-server.ts";
import { readWorkerSettings } from "./config.ts";
import { Worker } from "./worker.ts";

const server = new RedisServer();

before(() => server.start());
after(async () => {
  await server.stop();
  assertNoChildLeft();
});

async function aWorker(): Promise<{ node: Node; worker: Worker }> {
  const env = { REDIS_URL: server.url, MODULES_DIR: "modules", NODE_NAME: "w", SESSION_TTL_MS: "10000" };
  const log = createLog("worker", { LOG_LEVEL: "silent" });
  const node = createNode("worker", readClusterSettings(env), log);
  const worker = new Worker(node, readWorkerSettings(env), {
    modules: await loadModules(["modules"]),
    stores: new StateStores([]),
    tracer: NO_TRACER,
    log,
  });
  return { node, worker };
}

test("starts and stops, stops twice, stops without a start, and leaves nothing of its session", async () => {
  const idle = await aWorker();
  await idle.worker.stop();

  const { node, worker } = await aWorker();
  await node.link.start();
  await node.subscriber.start();
  await worker.start();
  assert.equal((await node.link.call<string[]>("smembers", node.keys.sessions)).length, 1);
  assert.equal(await node.link.call("hlen", node.keys.live(0)), 1);
  await worker.stop();
  await worker.stop();
  assert.deepEqual(await node.link.call("keys", "*"), ["gs:{members}:cluster"]);
  await node.subscriber.stop();
  await node.link.stop();
});
