import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { findFreePort } from "@genserverless/local/ports.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/** What nodes tell of themselves: in their heartbeats, and to Prometheus. */

const [port, nextPort] = [await findFreePort(), await findFreePort()];
const env = { METRICS_PORT: String(port) };
const cluster = new TestCluster({ apis: 1, workers: 1, env });
const { client } = cluster;
const SOON = { withinMs: 10_000 };

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

interface NodeView {
  role: string;
  load: number;
  lagMs: number;
  rate?: number;
  latency?: { p50Ms: number; p99Ms: number };
  failures?: number;
  takeovers?: number;
  busiest?: { pid: string; turns: number; failed: number }[];
}

async function readNode(role: string): Promise<NodeView> {
  const { nodes } = (await client.get("/v1/cluster")).body as unknown as { nodes: NodeView[] };
  return nodes.find((node) => node.role === role) ?? assert.fail(`no ${role}`);
}

async function scrapeWorker(at: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${at}/metrics`);
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
  return response.text();
}

test("heartbeats tell how nodes do, how long calls and turns take, and which processes are the busiest", async () => {
  await client.start("accumulator", "busy");
  await client.start("troublemaker", "failing");
  await client.cast("troublemaker/failing", { do: "throw" });
  const whenTold = async () => {
    await Promise.all(Array.from({ length: 20 }, () => client.call("accumulator/busy", { add: 1 })));
    const { rate = 0, latency, busiest, failures } = await readNode("worker");
    if (rate === 0 || !latency?.p99Ms || busiest?.[0]?.pid !== "accumulator/busy" || failures !== 1) return undefined;
    // It beats at other times.
    const api = await readNode("api");
    return (api.rate ?? 0) > 0 && api.load > 0 && api;
  };
  const api = await until(whenTold, SOON);
  assert.ok((api.latency?.p99Ms ?? 0) >= (api.latency?.p50Ms ?? 0) && api.lagMs >= 0);
});

test("a worker's /metrics has its turns, waits, failures, leases and Redis round trips", async () => {
  await client.start("accumulator", "measured");
  const text = await scrapeWorker(port);
  for (const name of [
    'genserverless_turn_duration_seconds_count{module="accumulator"}',
    'genserverless_queue_wait_seconds_count{module="accumulator"}',
    'genserverless_redis_round_trip_seconds_count{script="commit"}',
    'genserverless_turns_failed_total{module="troublemaker"}',
    "genserverless_processes_held",
    "nodejs_eventloop_lag_p99_seconds",
  ]) {
    const line = text.split("\n").find((each) => each.startsWith(`${name} `));
    assert.ok(Number(line?.split(" ")[1]) > 0 || name.startsWith("nodejs"), `${name}: ${line}`);
  }
});

test("what a dead worker leaves is counted as taken over by its heir", async () => {
  await client.start("accumulator", "orphan");
  const [first] = cluster.workers;
  await cluster.addWorker({ METRICS_PORT: String(nextPort) });
  // It dies with a message in hand: what is idle is put to sleep, and taken over by nobody.
  await first?.pause();
  const { messageId } = (await client.cast("accumulator/orphan", 1)).body;
  await first?.kill();
  assert.equal((await client.get(`/v1/messages/${messageId}?wait=60000`)).body["status"], "done");
  await until(async () => ((await readNode("worker")).takeovers ?? 0) > 0, SOON);
  assert.match(await scrapeWorker(nextPort), /^genserverless_takeovers_total [1-9]/m);
});
