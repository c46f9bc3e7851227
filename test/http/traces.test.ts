import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { findFreePort } from "@genserverless/local/ports.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster, type TestNode } from "../tools/test-cluster.ts";
import { type CollectedSpan, TraceCollector } from "../tools/trace-collector.ts";
import { until } from "../tools/until.ts";

/** Traces through request, mailbox, turn and outbox; none where OTEL_* does not ask for them. */

const collector = new TraceCollector();
const cluster = new TestCluster({ apis: 1, workers: 1, sessionTtlMs: 6_000, env: { DRAIN_MS: "50" } });
const { client } = cluster;
const SOON = { withinMs: 20_000 };
const OURS = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";
const traceparent = `00-${OURS}-${CALLER}-01`;

before(async () => {
  await collector.start();
  await cluster.start();
});
after(async () => {
  await cluster.stop();
  await collector.stop();
  assertNoChildLeft();
});

/** As they lie in Redis, of the messages that a process has waiting or delayed. */
async function readEnvelopes(pid: string): Promise<string[]> {
  const redis = cluster.redis.connect();
  const jobs = await redis.keys(`${cluster.keyPrefix}:*:q:${pid}@*:*-*-*-*-*`);
  return (await Promise.all(jobs.map((job) => redis.hget(job, "data")))).filter((data) => data !== null);
}

function traceEnv(endpoint: string): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_BSP_SCHEDULE_DELAY: "20",
  };
}

/** The cluster goes on with nodes that trace. */
async function addTracingNodes(): Promise<void> {
  const [untraced] = cluster.workers;
  await cluster.addWorker(traceEnv(collector.url));
  await cluster.addApi(traceEnv(collector.url));
  await untraced?.stop();
  await cluster.untilReady();
}

const findSpan = (fits: Partial<CollectedSpan>, pid?: string) =>
  until(
    () =>
      collector.spans.find(
        (span) =>
          Object.entries(fits).every(([field, value]) => span[field as keyof CollectedSpan] === value) &&
          (pid === undefined || span.attributes["genserverless.pid"] === pid),
      ),
    { ...SOON, what: `a span ${JSON.stringify(fits)} of ${pid ?? "anybody"}` },
  );

const lostOf = (node: TestNode) => node.records.filter(({ msg }) => msg === "traces.lost");

test("without OTEL_* no envelope names a trace, whatever the caller sends", async () => {
  await client.start("player", "plain", { args: "plain" });
  await client.cast("player/plain", { alarm: { ms: 1 } }, { delayMs: 600_000, headers: { traceparent } });
  const envelopes = await readEnvelopes("player/plain");
  assert.equal(envelopes.length, 1);
  assert.deepEqual(Object.keys(JSON.parse(envelopes[0] ?? "")), ["f", "h", "k", "m"]);
});

test("one trace goes from the caller through the request, A's turn and its cast to B's turn", async () => {
  await addTracingNodes();
  const url = cluster.apis[1]?.url ?? "";
  for (const key of ["a", "b"]) await client.start("player", key, { args: key });
  const cast = { throw: { tour: ["player/b"], balls: 1 } };
  const { body } = await client.cast("player/a", cast, { url, headers: { traceparent } });

  const request = await findSpan({ traceId: OURS, parentSpanId: CALLER });
  const turnOfA = await findSpan({ traceId: OURS, parentSpanId: request.spanId });
  const turnOfB = await findSpan({ traceId: OURS, parentSpanId: turnOfA.spanId });
  assert.deepEqual(
    [request, turnOfA, turnOfB].map(({ service, instance, name, kind, status }) => [
      service,
      instance,
      name,
      kind,
      status,
    ]),
    [
      ["genserverless-api", "api-2", "POST /v1/processes/:module/:key/cast", 2, 0],
      ["genserverless-worker", "worker-2", "player.handleCast", 5, 0],
      ["genserverless-worker", "worker-2", "player.handleCast", 5, 0],
    ],
  );
  assert.equal(request.attributes["http.response.status_code"], 202);
  assert.equal(request.attributes["url.path"], "/v1/processes/player/a/cast");
  const { "genserverless.wait_ms": waitMs, ...told } = turnOfA.attributes;
  assert.ok(Number(waitMs) >= 0);
  assert.deepEqual(told, {
    "messaging.system": "genserverless",
    "messaging.operation.type": "process",
    "messaging.operation.name": "handleCast",
    "messaging.destination.name": "player/a",
    "messaging.message.id": body["messageId"],
    "genserverless.pid": "player/a",
    "genserverless.module": "player",
    "genserverless.message.kind": "cast",
    "genserverless.attempt": 1,
    "genserverless.outcome": "goes-on",
  });
  assert.equal(turnOfB.attributes["genserverless.pid"], "player/b");
});

test("a turn's call carries its trace, a failed turn says why, and a timer begins a trace", async () => {
  const url = cluster.apis[1]?.url ?? "";
  const asked = await client.call("player/a", { ask: "player/b", add: 1 }, { url });
  assert.equal(asked.status, 200);
  const calling = await findSpan({ name: "player.handleCall" }, "player/a");
  const called = await findSpan({ name: "player.handleCall" }, "player/b");
  assert.deepEqual([called.traceId, called.parentSpanId], [calling.traceId, calling.spanId]);

  await client.cast("player/a", { fail: true }, { url });
  const failed = await findSpan({ status: 2 }, "player/a");
  assert.equal(failed.attributes["error.type"], "callback_failed");

  await client.cast("player/a", { alarm: { ms: 1 } }, { url });
  const tick = await findSpan({ name: "player.handleInfo" }, "player/a");
  assert.equal(tick.parentSpanId, "");
});

test("an envelope names what sent it; what is no trace context is not passed on", async () => {
  const url = cluster.apis[1]?.url ?? "";
  await client.start("player", "kept", { args: "kept", url });
  const send = (sent: string) =>
    client.cast("player/kept", { fail: true }, { url, delayMs: 600_000, headers: { traceparent: sent } });
  for (const sent of [traceparent, `00-${"0".repeat(32)}-${CALLER}-01`, `${traceparent}","h":"`]) await send(sent);
  const parents = (await readEnvelopes("player/kept")).map((text) => (JSON.parse(text) as { p: string }).p);
  assert.equal(parents.length, 3);
  for (const parent of parents) assert.match(parent, /^00-[\da-f]{32}-[\da-f]{16}-01$/);
  assert.equal(parents.filter((parent) => parent.includes(OURS)).length, 1);
});

test("where the collector is away requests are answered, the log says so once, and the node leaves in time", async () => {
  const away = traceEnv(`http://127.0.0.1:${await findFreePort()}`);
  const node = await cluster.addApi({ ...away, OTEL_EXPORTER_OTLP_TIMEOUT: "500" });
  await cluster.untilReady();
  const call = () => client.call("player/b", { add: 1 }, { url: node.url ?? "" });
  assert.equal((await call()).status, 200);
  await until(() => lostOf(node).length > 0, SOON);
  assert.equal((await call()).status, 200);
  await node.stop();
  assert.deepEqual(await node.untilExit(), { code: 0, signal: null });
  assert.equal(lostOf(node).length, 1);
});
