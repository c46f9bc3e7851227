/**
 * What looking at a large cluster costs: 100,000 processes, 20 nodes. Figures are CPU time, of Redis and of the one who asks,
 * for these hold on a machine that has other work too.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { readPublishedLua } from "@genserverless/shared/cluster/mailbox.ts";
import { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import type { ClusterView, ListQuery } from "@genserverless/shared/inspect/views.ts";
import { RedisLink } from "@genserverless/shared/redis/connection.ts";
import { Keys } from "@genserverless/shared/redis/keys.ts";
import { loadScripts } from "@genserverless/shared/redis/scripts.ts";
import { Events } from "@genserverless/shared/service/events.ts";
import type { Redis } from "ioredis";
import { assertNoChildLeft, nodeChild } from "../tools/child.ts";
import { type Crowd, writeCrowd } from "../tools/crowd.ts";
import { RedisServer } from "../tools/redis-server.ts";
import { until } from "../tools/until.ts";

const PROCESSES = 100_000;
const NODES = 20;
const SOON = { withinMs: 60_000 };
const MEASURED_MS = 6_000;
const MOST_OF_A_CORE = 0.01;
const MOST_MS_A_PAGE = 50;
const PAGE = 100;
const MOST_PAGES = 40;

const server = new RedisServer();
const keys = new Keys("gs", 64);
let redis: Redis;
let link: RedisLink;
let snapshot: Snapshot;
let crowd: Crowd;

before(async () => {
  await server.start();
  redis = server.connect();
  const scripts = loadScripts(readPublishedLua());
  link = new RedisLink({ url: server.url, name: "test", scripts, events: new Events(), silenceMs: 60_000 });
  await link.start();
  crowd = await writeCrowd(link, keys, { processes: PROCESSES, workers: 13, apis: NODES - 14 });
  snapshot = new Snapshot(link, keys);
});
after(async () => {
  await link.stop();
  await server.stop();
  assertNoChildLeft();
});

/** CPU seconds that Redis has used since its start. */
async function readRedisCpu(): Promise<number> {
  const info = await redis.info("cpu");
  const read = (name: string) => Number(new RegExp(`^${name}:(\\S+)`, "m").exec(info)?.[1]);
  return read("used_cpu_user_main_thread") + read("used_cpu_sys_main_thread");
}

async function measureRedis(ms: number): Promise<number> {
  const [before, startedAt] = [await readRedisCpu(), performance.now()];
  await delay(ms);
  return ((await readRedisCpu()) - before) / ((performance.now() - startedAt) / 1_000);
}

test("sysmon, with its page open, costs Redis less than one percent of a core", async (t) => {
  const idle = await measureRedis(MEASURED_MS / 2);
  const url = await openSysmon(t);
  await until(async () => {
    const view = (await (await fetch(`${url}/api/cluster`)).json()) as ClusterView;
    return view.nodes.length === NODES && Object.values(view.processes).reduce((sum, n) => sum + n) === PROCESSES;
  }, SOON);
  const share = (await measureRedis(MEASURED_MS)) - idle;
  t.diagnostic(`sysmon ${(100 * share).toFixed(2)} % of a core; Redis by itself ${(100 * idle).toFixed(2)} %`);
  assert.ok(share < MOST_OF_A_CORE, `${(100 * share).toFixed(2)} % of a core`);
});

/** Returns the address of a console that a browser listens to. */
async function openSysmon(t: TestContext): Promise<string> {
  const env = { REDIS_URL: server.url, NODE_NAME: "sysmon-1", SYSMON_PORT: "0", SYSMON_TOKEN: "token-that-may-act" };
  const script = join(import.meta.dirname, "../../sysmon/src/main.ts");
  const sysmon = nodeChild({ name: "sysmon", script, env });
  await sysmon.start();
  t.after(() => sysmon.stop());
  const listening = await until(() => sysmon.stderr.find((line) => line.includes("web.listening")), {
    withinMs: 60_000,
  });
  const { url } = JSON.parse(listening) as { url: string };
  const browser = new AbortController();
  const { status, body } = await fetch(`${url}/api/live`, { signal: browser.signal });
  t.after(() => browser.abort());
  assert.equal(status, 200);
  body?.pipeTo(new WritableStream()).catch(() => {});
  return url;
}

const QUERIES: [what: string, query: Omit<ListQuery, "limit">, expected: () => number | undefined][] = [
  ["all", {}, () => PROCESSES],
  ["of a module", { module: "kind-3" }, () => PROCESSES / 10],
  ["of a common status", { status: "idle" }, () => crowd.statuses.get("idle")],
  ["of a module and a status", { module: "kind-3", status: "idle" }, () => (crowd.statuses.get("idle") ?? 0) / 10],
  ["of a rare status", { status: "paused" }, () => crowd.statuses.get("paused")],
  ["of a status that one in a thousand has", { status: "quarantined" }, () => crowd.statuses.get("quarantined")],
];

for (const [what, query, expected] of QUERIES) {
  test(`a page of processes ${what} costs less than ${MOST_MS_A_PAGE} ms, however far down the list it is`, async (t) => {
    const pages: { cpuMs: number; wallMs: number }[] = [];
    let [listed, cursor]: [number, string | undefined] = [0, undefined];
    do {
      const [redisBefore, before, startedAt] = [await readRedisCpu(), process.cpuUsage(), performance.now()];
      const page = await snapshot.listProcesses({ ...query, limit: PAGE, cursor });
      const wallMs = performance.now() - startedAt;
      const { user, system } = process.cpuUsage(before);
      pages.push({ cpuMs: (user + system) / 1_000 + 1_000 * ((await readRedisCpu()) - redisBefore), wallMs });
      listed += page.processes.length;
      cursor = page.nextCursor;
    } while (cursor !== undefined && pages.length < MOST_PAGES);
    assert.equal(listed, Math.min(expected() ?? 0, MOST_PAGES * PAGE));
    const [cpuMs, wallMs] = [median(pages.map((page) => page.cpuMs)), median(pages.map((page) => page.wallMs))];
    t.diagnostic(`${pages.length} pages, median ${cpuMs.toFixed(1)} ms of CPU, ${wallMs.toFixed(1)} ms of time`);
    assert.ok(cpuMs < MOST_MS_A_PAGE, `${cpuMs} ms`);
  });
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
