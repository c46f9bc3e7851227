import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { assertProblem } from "./problem.ts";

/** What operators and machines ask of an api. */

const cluster = new TestCluster({ apis: 2, workers: 2, sessionTtlMs: 6_000, env: { DRAIN_MS: "50" } });
const { client } = cluster;
const SOON = { withinMs: 5_000 };
const REBOOTED = { withinMs: 60_000 };

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

interface NodeView {
  id: string;
  name: string;
  role: string;
  host: string;
  osPid: number;
  startedAt: string;
  seenMsAgo: number;
  held?: number;
  modules?: string[];
}

async function readCluster() {
  return (await client.get("/v1/cluster")).body as {
    nodes: NodeView[];
    processes: Record<string, number>;
    mailbox: Record<string, number>;
    redis: { version: string; usedMemoryBytes: number; connected: boolean };
  };
}

test("the cluster shows each node with its role and its operating-system pid, and counts processes and mail", async () => {
  await client.start("accumulator", "counted");
  await client.cast("accumulator/counted", 1, { delayMs: 3_600_000 });
  await client.start("accumulator", "stopped");
  await client.stop("accumulator/stopped", { reason: "pause" });
  await client.start("troublemaker", "failed");
  const { messageId } = (await client.cast("troublemaker/failed", { do: "throw" })).body;
  await client.get(`/v1/messages/${messageId}?wait=5000`);
  const expected = [...cluster.apis, ...cluster.workers].map(({ name, pid }) => [name, pid]);
  const { nodes, processes, mailbox, redis } = await readCluster();
  assert.deepEqual(nodes.map(({ name, osPid }) => [name.replace(/^.*@/, ""), osPid]).sort(), expected.sort());
  for (const { role, name, host, startedAt, seenMsAgo, modules, held } of nodes) {
    assert.equal(name.startsWith(`${role}@`), true);
    assert.ok(host && Date.parse(startedAt) <= Date.now() && seenMsAgo < 5_000);
    assert.equal(modules?.includes("accumulator"), role === "worker" ? true : undefined);
    assert.equal(typeof held, role === "worker" ? "number" : "undefined");
  }
  assert.deepEqual([processes["idle"], processes["stopped"], processes["starting"]], [2, 1, 0]);
  assert.deepEqual(mailbox, { waiting: 0, delayed: 1, failed: 1 });
  assert.match(redis.version, /^\d+\.\d+/);
  assert.ok(redis.usedMemoryBytes > 0 && redis.connected);
});

test("the cluster counts what runs, what starts and what waits at one moment", async () => {
  const keys = ["busy-1", "busy-2", "busy-3"];
  const pids = [...keys.map((key) => `sleeper/${key}`), "notebook/starting"];
  await Promise.all(keys.map((key) => client.start("sleeper", key)));
  const starting = client.start("notebook", "starting", { args: { initMs: 25_000 } });
  const calls = keys.map((key) => client.call(`sleeper/${key}`, 25_000, { timeoutMs: 60_000 }));
  const isInHand = async (pid: string) =>
    ((await client.get(`/v1/processes/${pid}/mailbox`)).body["running"] as unknown[] | undefined)?.length === 1;
  for (const pid of pids) await until(() => isInHand(pid), SOON);
  await client.cast("sleeper/busy-1", "waits");
  const { processes, mailbox } = await readCluster();
  assert.deepEqual([processes["running"], processes["starting"]], [3, 1]);
  assert.equal(mailbox["waiting"], 1, "what is in hand does not wait");
  for (const pid of pids) await client.act(pid, "kill");
  for (const answer of await Promise.all([starting, ...calls])) assertProblem(answer, "404 no_process");
});

test("health and ready say ok; a wrong path and a wrong method are named", async () => {
  for (const path of ["/health", "/ready"]) {
    const { status, body } = await client.get(path);
    assert.deepEqual([status, body], [200, { status: "ok" }]);
  }
  assertProblem(await client.get("/v1/nothing"), "404 unknown_route");
  assertProblem(await client.get("/v1/processes/accumulator/counted/call"), "405 method_not_allowed");
  assert.equal((await client.get("/v1/processes/accumulator/counted/call")).headers["allow"], "POST");
});

test("metrics count requests by route and status, and no route's label holds a pid", async () => {
  const [url] = cluster.urls;
  assert.ok(url);
  await client.call("accumulator/counted", "total", { url });
  const { status, headers, body } = await client.get("/metrics", { url });
  const text = String(body["text"]);
  assert.equal(status, 200);
  assert.match(String(headers["content-type"]), /^text\/plain; version=/);
  assert.match(text, /http_request_duration_seconds_count\{method="POST",route="[^"]*:key\/call",status="200"\} [1-9]/);
  assert.match(text, /^process_cpu_seconds_total /m);
  assert.doesNotMatch(text, /counted/);
});

test("the OpenAPI document is 3.1, and has the modules that this cluster runs", async () => {
  const { status, body } = await client.get("/openapi.json");
  assert.equal(status, 200);
  assert.match(String(body["openapi"]), /^3\.1\./);
  const paths = Object.keys(body["paths"] as object);
  assert.ok(paths.includes("/v1/processes/{module}/{key}/call"));
  assert.ok(
    paths.some((path) => /^\/v1\/processes\/[^{/]+\/\{key\}\/call$/.test(path)),
    paths.join("\n"),
  );
});

test("every answer says who served it, errors included", async () => {
  for (const api of cluster.apis) {
    const { url } = api;
    assert.ok(url);
    for (const path of ["/health", "/metrics", "/v1/processes", "/v1/processes/accumulator/nobody", "/nothing"]) {
      assert.equal((await client.get(path, { url })).headers["x-served-by"], `api@${api.name}`, path);
    }
  }
});

test("with API_TOKEN every route but health and ready wants the token", async () => {
  const guarded = await cluster.addApi({ API_TOKEN: "open-sesame" });
  const { url } = guarded;
  assert.ok(url);
  await cluster.untilReady();
  const tell = (authorization: string) => ({ url, headers: { authorization } });
  for (const path of ["/v1/cluster", "/v1/processes", "/metrics", "/openapi.json", "/nothing"]) {
    const refused = await client.get(path, { url });
    assertProblem(refused, "401 unauthorized");
    assert.match(String(refused.headers["www-authenticate"]), /^Bearer/);
    assertProblem(await client.get(path, tell("Bearer open-sesam")), "401 unauthorized");
    assert.notEqual((await client.get(path, tell("Bearer open-sesame"))).status, 401);
  }
  assertProblem(await client.start("accumulator", "guarded", { url }), "401 unauthorized");
  assert.equal((await client.start("accumulator", "guarded", tell("Bearer open-sesame"))).status, 201);
  for (const path of ["/health", "/ready"]) assert.equal((await client.get(path, { url })).status, 200);
  await guarded.stop();
});

test("an api that leaves says so at its health, and vanishes from the cluster", async () => {
  const leaving = await cluster.addApi({ DRAIN_MS: "2000" });
  const { url } = leaving;
  assert.ok(url);
  await cluster.untilReady();
  leaving.signal("SIGTERM");
  await until(async () => (await client.get("/health", { url })).body["code"] === "draining", {
    ...SOON,
    everyMs: 5,
  });
  assert.equal((await client.call("accumulator/counted", "total", { url })).status, 200);
  assert.deepEqual(await leaving.untilExit(), { code: 0, signal: null });
  assert.equal(
    (await readCluster()).nodes.some(({ osPid }) => osPid === leaving.pid),
    false,
  );
});

test("without workers an api stays alive and is not ready; a module nobody runs now is 503", async () => {
  await Promise.all(cluster.workers.map((worker) => worker.stop()));
  const isNotReady = async () => (await client.get("/ready")).body["code"] === "no_workers";
  await until(isNotReady, SOON);
  const notReady = await client.get("/ready");
  assertProblem(notReady, "503 no_workers");
  assert.ok(notReady.headers["retry-after"]);
  assert.equal((await client.get("/health")).status, 200);
  assertProblem(await client.start("accumulator", "nobody-runs-it"), "503 no_workers");
  assertProblem(await client.start("nobody", "nobody-knows-it"), "404 unknown_module");
  await Promise.all(cluster.workers.map((worker) => worker.start()));
  const isBack = async () => (await readCluster()).nodes.filter(({ role }) => role === "worker").length === 2;
  await until(isBack, REBOOTED);
  await cluster.untilReady();
  assert.equal((await client.call("accumulator/counted", "total")).status, 200);
});
