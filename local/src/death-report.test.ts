import assert from "node:assert/strict";
import { test } from "node:test";
import { createNode } from "@genserverless/shared/cluster/node.ts";
import { readClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { RedisServer } from "../../test/tools/redis-server.ts";
import { DeathReporter } from "./death-report.ts";

test("a session that is reported dead is gone at once", async (t) => {
  const redis = new RedisServer({ password: "secret" });
  await redis.start();
  t.after(() => redis.stop());
  const settings = readClusterSettings({ REDIS_URL: redis.url, SESSION_TTL_MS: "60000", NODE_NAME: "n1" });
  const { link, keys, join } = createNode("worker", settings, createLog("test", { LOG_LEVEL: "silent" }));
  const membership = join();
  const reporter = new DeathReporter(settings);
  t.after(async () => {
    for (const part of [reporter, membership, link]) await part.stop();
  });
  await link.start();
  await membership.start();
  assert.deepEqual(await link.call("smembers", keys.sessions), [membership.session]);

  await reporter.report(membership.session);
  assert.deepEqual(await link.call("smembers", keys.sessions), []);
  assert.equal(await link.call("exists", keys.session(membership.session)), 0);
});

test("stop is safe without a report, and while Redis is not there", async () => {
  const settings = readClusterSettings({ REDIS_URL: "redis://127.0.0.1:1" });
  await new DeathReporter(settings).stop();
  const reporter = new DeathReporter(settings);
  const report = reporter.report("worker@gone#1").catch((error: Error) => error);
  await reporter.stop();
  await reporter.stop();
  assert.ok((await report) instanceof Error);
});
