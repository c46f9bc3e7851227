import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertNoChildLeft } from "./child.ts";
import { TestCluster } from "./test-cluster.ts";
import { until } from "./until.ts";

after(assertNoChildLeft);

test("starts, answers, loses and gains nodes, and leaves nothing behind", async () => {
  const cluster = new TestCluster({ apis: 2 });
  await cluster.start();
  try {
    const { client } = cluster;
    assert.equal((await client.start("accumulator", "a", { args: 100 })).status, 201);
    assert.equal((await client.call("accumulator/a", { add: 5 })).body["reply"], 105);
    const servedBy = await Promise.all(cluster.urls.map(async (url) => (await client.get("/health", { url })).headers));
    assert.deepEqual(servedBy.map((headers) => headers["x-served-by"]).sort(), ["api@api-1", "api@api-2"]);

    await cluster.workers[0]?.kill();
    await cluster.apis[1]?.stop();
    assert.equal(cluster.urls.length, 1);
    await cluster.addWorker();
    await cluster.addApi();
    await cluster.untilReady();
    const isCounted = async () => (await client.call("accumulator/a", "total")).body["reply"] === 105;
    await until(isCounted, { withinMs: 20_000 });
  } finally {
    await cluster.stop();
    await cluster.stop();
  }
  assertNoChildLeft();
});

test("through a proxy, every node's connection can be told by its name", async () => {
  const cluster = new TestCluster({ throughProxy: true });
  await cluster.start();
  try {
    const names = cluster.proxy.clientNames;
    assert.ok(
      names.some((name) => name.startsWith("api@api-1")) && names.some((name) => name.startsWith("worker@worker-1")),
    );
  } finally {
    await cluster.stop();
  }
});

test("stop is safe without start", async () => {
  await new TestCluster().stop();
});
