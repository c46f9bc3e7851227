import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ensureServers } from "@genserverless/local/servers.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { ClusterClient } from "../tools/cluster-client.ts";
import { NpmStart } from "../tools/npm-start.ts";
import { run } from "../tools/run.ts";
import { parsePrints, pausesOf } from "../tools/sysmon-prints.ts";
import { until } from "../tools/until.ts";

/**
 * The walk-through of the microservice cluster that one watches, on `npm start`, with every setting as it is: one worker,
 * two apis, sysmon, and a Redis that is stopped and started. The tests follow one another, as its steps do.
 */

const cluster = new NpmStart({ NODE_NAME: "ms", API_REPLICAS: "2", WORKER_REPLICAS: "1" });
const client = new ClusterClient(() => [cluster.url]);
const WORK = "/api/v1/work";
const FOO = "ACBD18DB4CC2F85CEDEF654FCCC4A4D8";
/** The walk-through's own bound for what comes and goes. */
const SIX_SECONDS = { withinMs: 6_000 };
const SOON = { withinMs: 30_000 };

before(() => cluster.start());
after(async () => {
  await client.close();
  await cluster.stop();
  assertNoChildLeft();
});

const readPrints = () => parsePrints(cluster.readLog("sysmon"));

/** As sysmon's page and, where it reads Redis, its print has them. */
async function listsWorkers(...expected: string[]): Promise<boolean> {
  const { nodes } = (await client.get("/api/cluster", { url: cluster.consoleUrl })).body as {
    nodes: { name: string }[];
  };
  const shown = nodes.map(({ name }) => name).filter((name) => name.startsWith("worker@"));
  return [shown.sort(), readPrints().at(-1)?.workers].every((names) => names?.join() === expected.join());
}

const post = (data: string) => client.request("POST", WORK, { data }, { headers: { connection: "close" } });
const statusOf = async (callback: unknown) => (await client.get(`${WORK}/${callback}`)).body["status"];

test("4.9.1: sysmon prints who is in the cluster every two seconds, and has its page", async () => {
  const prints = await until(() => readPrints().length >= 4 && readPrints(), SOON);
  const pauses = pausesOf(prints);
  assert.ok(
    pauses.some((ms) => ms >= 1_000 && ms <= 3_000),
    String(pauses),
  );
  assert.equal(await until(() => listsWorkers("worker@ms-1"), SOON), true);
  const page = await fetch(cluster.consoleUrl);
  assert.deepEqual([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
});

test("4.9.2: a second worker is listed within six seconds, and gone within six when it leaves or is killed", async () => {
  const joined = { withinMs: 60_000, what: "it joins" };
  const second = await cluster.addWorker("ms-2");
  await second.untilRecord(({ msg }) => msg === "session.registered", joined);
  await until(() => listsWorkers("worker@ms-1", "worker@ms-2"), SIX_SECONDS);
  await second.stop();
  await until(() => listsWorkers("worker@ms-1"), SIX_SECONDS);
  const third = await cluster.addWorker("ms-3");
  await third.untilRecord(({ msg }) => msg === "session.registered", joined);
  await until(() => listsWorkers("worker@ms-1", "worker@ms-3"), SIX_SECONDS);
  await third.kill();
  // Its heartbeat holds for six seconds, and sysmon prints every two; one of them, or this test, may have stood still.
  await until(() => listsWorkers("worker@ms-1"), { withinMs: 6_000 + 2_000 + 3_000 });
});

test("4.9.3: two apis answer behind the load balancer", async () => {
  const { nodes } = (await client.get("/v1/cluster")).body as { nodes: { name: string; role: string }[] };
  const apis = nodes.filter(({ role }) => role === "api").map(({ name }) => name);
  assert.deepEqual(apis.sort(), ["api@ms-1", "api@ms-2"]);
  assert.equal((await client.get("/ready")).status, 200);
});

test("4.9.4, 4.9.6: foo is accepted as its MD5, then pending or working, then worked, and gone after ten seconds", async () => {
  const { status, body } = await post("foo");
  const { accepted_by, ...accepted } = body;
  assert.deepEqual([status, accepted], [200, { callback: FOO, data: "foo", status: "accepted" }]);
  assert.match(String(accepted_by), /^api@ms-[12]$/);
  const seen: { status: unknown; atMs: number }[] = [];
  await until(async () => {
    const status = await statusOf(FOO);
    if (seen.at(-1)?.status !== status) seen.push({ status, atMs: performance.now() });
    return status === "404. not found!";
  }, SOON);
  // Pending is over in the turn that begins it, and is rarely seen.
  const [working, worked, gone] = seen.filter(({ status }) => status !== "pending");
  assert.deepEqual([working?.status, worked?.status, gone?.status], ["working", "worked", "404. not found!"]);
  const shownMs = (gone?.atMs ?? 0) - (worked?.atMs ?? 0);
  assert.ok(shownMs > 8_000 && shownMs < 14_000, `worked for ${shownMs} ms`);
});

test("4.9.5: dates that are posted again and again are accepted by one api and the other in turn", async () => {
  const accepted: unknown[] = [];
  for (let second = 0; second < 10; second++) {
    const { status, body } = await post(new Date(1_500_000_000_000 + 1_000 * second).toUTCString());
    assert.equal(status, 200);
    accepted.push(body["accepted_by"]);
  }
  const [first, other] = [...new Set(accepted)].sort();
  assert.deepEqual([first, other], ["api@ms-1", "api@ms-2"]);
  assert.deepEqual(accepted.slice(2), accepted.slice(0, -2), "in turn");
});

test("4.9.7: while Redis is stopped nothing dies and sysmon goes on; then members and work come back", async () => {
  const children = cluster.readChildren();
  const before = (await post("before the stop")).body["callback"];
  await until(async () => (await statusOf(before)) === "working", SOON);
  await cluster.redis.kill();
  for (const ask of [() => post("meanwhile"), () => client.get(`${WORK}/${before}`)]) {
    const { status, headers } = await ask();
    assert.equal(status, 503);
    assert.match(String(headers["retry-after"]), /^[1-9]\d*$/);
  }
  const away = () => readPrints().filter(({ redis }) => redis.startsWith("Redis is away"));
  await until(() => away().length >= 4, SOON);
  assert.equal((await post("meanwhile")).status, 503, "longer than a session lives, too");
  assert.equal((await fetch(cluster.consoleUrl)).status, 200);

  await cluster.redis.restart();
  await until(() => listsWorkers("worker@ms-1"), SOON);
  await until(async () => (await statusOf(before)) === "worked", SOON);
  const after = await until(async () => {
    const { status, body } = await post("after the start");
    return status === 200 && body["callback"];
  }, SOON);
  await until(async () => (await statusOf(after)) === "worked", SOON);
  assert.deepEqual(cluster.readChildren(), children, "every node is the one that it was");
});

test("4.9.8: a shell joins in: it sees the nodes, starts a process and calls it", async () => {
  const lines = [
    "(await client.cluster()).nodes.map(({ name }) => name).sort().join()",
    '(await start("accumulator", { key: "shell", args: 40 })).pid',
    'await call("accumulator/shell", { add: 2 })',
  ];
  const env = { ...process.env, GENSERVERLESS_URL: cluster.url };
  const { code, stdout, stderr } = await run("node_modules/.bin/genserverless", ["shell"], env, lines.join("\n"));
  assert.deepEqual([code, stderr], [0, ""]);
  const nodes = "'api@ms-1,api@ms-2,sysmon@ms-1,worker@ms-1'";
  assert.deepEqual(stdout.trim().split("\n"), [nodes, "'accumulator/shell'", "42"]);
});

test("4.9.9: one command opens the dashboard in tmux, beside the sessions that are there", async (t) => {
  const { tmux } = await ensureServers(["tmux", "curl", "jq"]);
  const folder = join(cluster.env["DATA_DIR"] ?? "", "tmux");
  mkdirSync(folder);
  const env = { ...process.env, ...cluster.env, TMUX: undefined, TMUX_TMPDIR: folder, EVERY_S: "1", LC_ALL: "C.UTF-8" };
  const ask = async (...args: string[]) => (await run(tmux, ["-f", "/dev/null", ...args], env)).stdout.trim();
  t.after(() => ask("kill-server"));
  await ask("new-session", "-d", "-s", "other", "exec sleep 600");
  const open = () => run("bash", ["dashboard.sh", "--local"], env);
  assert.deepEqual(await open(), { code: 0, stdout: "attach with: tmux attach -t genserverless\n", stderr: "" });

  const listed = (await ask("list-panes", "-s", "-t", "genserverless", "-F", "#{pane_id} #{pane_title}")).split("\n");
  const panes = new Map(listed.map((line) => [line.slice(line.indexOf(" ") + 1), line.split(" ", 1)[0] ?? ""]));
  assert.deepEqual([...panes.keys()], ["sysmon", "api log", "workers", "client"]);
  for (const [title, wanted] of [
    ["sysmon", /^genserverless {2}\d nodes[\s\S]* 1 nodes {3}2 processes[\s\S]*api@ms-1/],
    ["api log", /^\S+ api@ms-1 session\.registered /m],
    ["workers", /^\S+ worker@ms-1 work /m],
    ["client", /^HTTP\/1.1 200 OK\nx-served-by: api@ms-[12]\n\{\n {2}"reply": \d+,/m],
  ] as const) {
    const shows = async () => wanted.test(await ask("capture-pane", "-p", "-t", panes.get(title) ?? ""));
    await until(shows, { ...SOON, everyMs: 200, what: `${title} shows ${wanted}` });
  }

  assert.match((await open()).stdout, /^the tmux session genserverless is open already$/m);
  assert.equal(await ask("list-sessions", "-F", "#{session_name}"), "genserverless\nother");
});

test("4.9.9: the dashboard says what it lacks, and how to get it", async () => {
  const folder = join(cluster.env["DATA_DIR"] ?? "", "bin");
  mkdirSync(folder);
  symlinkSync("/usr/bin/dirname", join(folder, "dirname"));
  symlinkSync("/usr/bin/true", join(folder, "apt-get"));
  for (const [args, missing] of [
    [["dashboard.sh"], "tmux curl jq docker-compose"],
    [["dashboard.sh", "--local"], "tmux curl jq nodejs npm"],
  ] as const) {
    const { code, stderr } = await run("/bin/bash", [...args], { PATH: folder });
    const told = `dashboard.sh needs ${missing}\nget it with: sudo apt-get install ${missing}\n`;
    assert.deepEqual([code, stderr], [1, told]);
  }
});
