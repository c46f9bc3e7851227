import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ClusterView } from "@genserverless/shared/inspect/views.ts";
import { assertNoChildLeft, nodeChild } from "../../test/tools/child.ts";
import { RedisServer } from "../../test/tools/redis-server.ts";
import { until } from "../../test/tools/until.ts";

after(assertNoChildLeft);

const SCRIPT = fileURLToPath(new URL("main.ts", import.meta.url));
const SOON = { withinMs: 10_000 };

function buildSysmon(t: TestContext, env: Record<string, string>) {
  const child = nodeChild({ name: "sysmon", script: SCRIPT, env: { SYSMON_PORT: "0", NODE_NAME: "s1", ...env } });
  t.after(() => child.kill());
  const untilUrl = async () => {
    const listening = await until(() => child.stderr.find((line) => line.includes("web.listening")), SOON);
    return (JSON.parse(listening) as { url: string }).url;
  };
  return { child, untilUrl };
}

async function buildRedis(t: TestContext) {
  const redis = new RedisServer({ password: "secret" });
  await redis.start();
  t.after(() => redis.stop());
  return redis;
}

async function readNodes(url: string): Promise<{ connected: boolean; names: string[] }> {
  const response = await fetch(`${url}/api/cluster`);
  assert.equal(response.status, 200);
  const view = (await response.json()) as ClusterView;
  return { connected: view.redis.connected, names: view.nodes.map(({ role, name }) => `${role} ${name}`) };
}

test("shows itself as a node on both skins, outlives Redis, and is gone from the cluster after SIGTERM", async (t) => {
  const redis = await buildRedis(t);
  const { child, untilUrl } = buildSysmon(t, { REDIS_URL: redis.url, SESSION_TTL_MS: "2000" });
  await child.start();
  const url = await untilUrl();
  const isSeen = async () => {
    const { connected, names } = await readNodes(url);
    return connected && names.includes("sysmon sysmon@s1");
  };
  await until(isSeen, SOON);
  await child.untilLine(/^sysmon +sysmon@s1 /, SOON);

  await redis.kill();
  await until(async () => !(await readNodes(url)).connected, SOON);
  await child.untilLine(/Redis is away: the last picture is /, SOON);
  await redis.restart();
  await until(isSeen, SOON);

  await child.stop();
  assert.deepEqual(await child.untilExit(), { code: 0, signal: null });
  const keys = await redis.connect().keys("*sysmon@s1*");
  assert.deepEqual(keys, []);
  assert.deepEqual(child.records, [], "no log record on stdout");
});

test("waits for a Redis that is not there yet, and says so", async (t) => {
  const redis = await buildRedis(t);
  await redis.kill();
  const { child, untilUrl } = buildSysmon(t, { REDIS_URL: redis.url });
  await child.start();
  await child.untilLine(/Redis is away: waiting for it$/, SOON);
  assert.equal((await fetch(`${await untilUrl()}/api/cluster`)).status, 503);
  await redis.restart();
  await child.untilLine(/Redis \d.* used/, SOON);
  await child.stop();
});

test("stops at once while it waits for Redis", async (t) => {
  const { child, untilUrl } = buildSysmon(t, { REDIS_URL: "redis://127.0.0.1:1" });
  await child.start();
  await untilUrl();
  await child.stop();
  assert.deepEqual(await child.untilExit(), { code: 0, signal: null });
});

test("a busy port ends it with one line that names the port", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  t.after(() => taken.close());
  await until(() => taken.listening, SOON);
  const { port } = taken.address() as AddressInfo;
  const { child } = buildSysmon(t, { SYSMON_PORT: String(port) });
  await child.start();
  assert.equal((await child.untilExit()).code, 1);
  assert.deepEqual(child.stderr, [`sysmon: SYSMON_PORT ${port} on 127.0.0.1 is in use by another program`]);
});

test("a setting that is no good ends it with one line that names the setting", async (t) => {
  const { child } = buildSysmon(t, { SYSMON_PORT: "http" });
  await child.start();
  assert.equal((await child.untilExit()).code, 1);
  assert.deepEqual(child.stderr, ['sysmon: SYSMON_PORT must be a whole number from 0 to 65535, not "http"']);
});
