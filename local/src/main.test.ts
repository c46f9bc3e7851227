import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { assertNoChildLeft, type Child, nodeChild } from "../../test/tools/child.ts";
import { RedisServer } from "../../test/tools/redis-server.ts";
import { until } from "../../test/tools/until.ts";
import { isAlive } from "./os-process.ts";
import { findFreePort } from "./ports.ts";
import { root } from "./settings.ts";

const READY = { withinMs: 120_000 };
const SOON = { withinMs: 60_000 };

after(assertNoChildLeft);

interface Running {
  npmStart: Child;
  url: string;
  env: Record<string, string>;
  dataDir: string;
}

interface Scope {
  after(end: () => Promise<void>): void;
}

async function buildNpmStart(t: Scope, settings: Record<string, string> = {}): Promise<Running> {
  const dataDir = mkdtempSync(join(tmpdir(), "npm-start-"));
  const env = {
    LB_PORT: String(await findFreePort()),
    SYSMON_PORT: String(await findFreePort()),
    DATA_DIR: dataDir,
    API_REPLICAS: "1",
    WORKER_REPLICAS: "1",
    GATEWAY_REPLICAS: "0",
    FUNCTIONS: "off",
    SESSION_TTL_MS: "2000",
    DRAIN_MS: "50",
    MODULES_DIR: "test/modules/samples",
    NODE_NAME: "test",
    ...settings,
  };
  const npmStart = nodeChild({ name: "npm start", script: join(root, "local/src/main.ts"), env });
  t.after(async () => {
    await npmStart.stop();
    await until(() => findByDataDir(dataDir).length === 0, { ...SOON, what: `every process of ${dataDir} is gone` });
    rmSync(dataDir, { recursive: true, force: true });
  });
  return { npmStart, url: `http://127.0.0.1:${env.LB_PORT}`, env, dataDir };
}

async function startCluster(t: Scope, settings?: Record<string, string>): Promise<Running> {
  const running = await buildNpmStart(t, settings);
  await startAgain(running);
  return running;
}

/** On the same ports and the same folder. */
async function startAgain({ npmStart, url }: Running): Promise<void> {
  npmStart.stdout.length = 0;
  await npmStart.start();
  assert.equal(await npmStart.untilLine(/^ready /, READY), `ready ${url}`);
}

/** Whatever npm start runs, has in its environment where. */
function findByDataDir(dataDir: string): string[] {
  return readdirSync("/proc").filter(
    (pid) => /^\d+$/.test(pid) && readEnvironment(pid).includes(`DATA_DIR=${dataDir}\0`),
  );
}

/** Empty where the process is gone or is a zombie. */
function readEnvironment(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    return "";
  }
}

async function post(url: string, body: object): Promise<{ status: number; servedBy: string | null; body: object }> {
  const headers = { "content-type": "application/json", connection: "close" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return {
    status: response.status,
    servedBy: response.headers.get("x-served-by"),
    body: (await response.json()) as object,
  };
}

/** pids by name of what npm start has running. */
function readChildren({ dataDir }: Running): Map<string, number> {
  const lines = readFileSync(join(dataDir, "children"), "utf8").trim().split("\n");
  return new Map(lines.map((line) => [line.split(" ")[2] ?? "", Number(line.split(" ")[0])]));
}

async function assertGone(children: Map<string, number>): Promise<void> {
  for (const [name, pid] of children) await until(() => !isAlive(pid), { ...SOON, what: `${name} is gone` });
}

/** With whatever was in it, and it has been noticed. Returns who was running. */
async function deleteFolder(cluster: Running): Promise<Map<string, number>> {
  const children = readChildren(cluster);
  rmSync(cluster.dataDir, { recursive: true });
  process.kill(children.get("worker-1") as number, "SIGKILL");
  await cluster.npmStart.untilLine(/children\.unwritten/, SOON);
  return children;
}

test("is ready when calls work, names its nodes, and takes everything along when it is stopped", async (t) => {
  const cluster = await startCluster(t, { API_REPLICAS: "2", WORKER_REPLICAS: "2", MODULES_DIR: "" });
  const started = await post(`${cluster.url}/v1/processes`, { module: "accumulator", key: "alice", args: 100 });
  assert.equal(started.status, 201);
  const seen = new Set<string | null>();
  await until(async () => {
    seen.add((await post(`${cluster.url}/v1/processes/accumulator/alice/cast`, { message: 1 })).servedBy);
    return seen.has("api@test-1") && seen.has("api@test-2");
  }, SOON);
  const children = readChildren(cluster);
  assert.deepEqual([...children.keys()].sort(), ["api-1", "api-2", "lb", "redis", "sysmon", "worker-1", "worker-2"]);
  // It prints what it sees every two seconds.
  await until(() => readFileSync(join(cluster.dataDir, "logs/sysmon.log"), "utf8").includes("worker@test-1"), SOON);
  await cluster.npmStart.stop();
  assert.deepEqual(await cluster.npmStart.untilExit(), { code: 0, signal: null });
  await assertGone(children);
  assert.match(cluster.npmStart.stdout.join("\n"), /"initial":100/);
});

suite("one cluster after the other", () => {
  const ends: (() => Promise<void>)[] = [];
  let cluster: Running;
  before(async () => {
    cluster = await startCluster({ after: (end) => ends.push(end) });
  });
  after(async () => {
    for (const end of ends) await end();
  });

  test("starts again whatever is killed, and calls go on", async () => {
    const pid = `${cluster.url}/v1/processes/accumulator/carol`;
    await post(`${cluster.url}/v1/processes`, { module: "accumulator", key: "carol", args: 0 });
    for (const name of ["worker-1", "api-1", "sysmon", "redis", "lb"]) {
      const killed = readChildren(cluster).get(name) as number;
      process.kill(killed, "SIGKILL");
      await until(() => ![killed, undefined].includes(readChildren(cluster).get(name)), SOON);
      await until(async () => (await post(`${pid}/call`, { message: "total" })).status === 200, SOON);
    }
  });

  test("two clusters run side by side, and neither takes what the other has", async (t) => {
    const second = await startCluster(t);
    assert.equal((await fetch(`${cluster.url}/ready`)).status, 200);
    for (const [name, words] of [
      ["LB_PORT", /port \d+ \(LB_PORT\) is in use/],
      ["SYSMON_PORT", /port \d+ \(SYSMON_PORT\) is in use/],
      ["DATA_DIR", /DATA_DIR .* is in use by the cluster of process \d+/],
    ] as const) {
      const { npmStart } = await buildNpmStart(t, { [name]: second.env[name] as string });
      await npmStart.start();
      assert.equal((await npmStart.untilExit()).code, 1);
      assert.match(npmStart.stderr.join("\n"), words);
      assert.equal(npmStart.stderr.length, 1);
    }
  });

  test("keeps the state across a stop and a start", async () => {
    await post(`${cluster.url}/v1/processes`, { module: "accumulator", key: "bob", args: 41 });
    await cluster.npmStart.stop();
    await startAgain(cluster);
    const called = await post(`${cluster.url}/v1/processes/accumulator/bob/call`, { message: { add: 1 } });
    assert.deepEqual({ ...called.body, messageId: "" }, { reply: 42, messageId: "" });
  });

  test("leaves nothing behind when it is killed itself", async () => {
    const children = readChildren(cluster);
    await cluster.npmStart.kill();
    await assertGone(children);
    await startAgain(cluster);
    assert.equal((await fetch(`${cluster.url}/ready`)).status, 200);
  });

  test("leaves nothing behind when its folder was deleted and it is killed", async () => {
    const children = await deleteFolder(cluster);
    await cluster.npmStart.kill();
    await assertGone(children);
  });
});

test("leaves nothing behind when its folder was deleted and it is stopped", async (t) => {
  const cluster = await startCluster(t);
  const children = await deleteFolder(cluster);
  await cluster.npmStart.stop();
  assert.deepEqual(await cluster.npmStart.untilExit(), { code: 0, signal: null });
  await assertGone(children);
});

test("stops at any moment of its start, and leaves nothing behind", async (t) => {
  for (const afterMs of [0, 250, 1_000]) {
    const { npmStart, dataDir } = await buildNpmStart(t);
    await npmStart.start();
    await until(() => findByDataDir(dataDir).length > 1, SOON);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await npmStart.stop();
    assert.deepEqual(await npmStart.untilExit(), { code: 0, signal: null });
  }
});

test("a second signal does not wait", async (t) => {
  const cluster = await startCluster(t, { DRAIN_MS: "20000" });
  const children = readChildren(cluster);
  cluster.npmStart.signal("SIGINT");
  cluster.npmStart.signal("SIGINT");
  await until(() => !isAlive(children.get("lb") as number), SOON);
  assert.equal(isAlive(children.get("api-1") as number), true);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const askedAt = performance.now();
  cluster.npmStart.signal("SIGINT");
  await cluster.npmStart.untilExit();
  assert.ok(performance.now() - askedAt < 10_000);
  await assertGone(children);
});

test("uses a Redis that is there already", async (t) => {
  const redis = new RedisServer({ password: "secret" });
  await redis.start();
  t.after(() => redis.stop());
  const cluster = await startCluster(t, { REDIS_URL: redis.url });
  assert.equal(readChildren(cluster).has("redis"), false);
  await post(`${cluster.url}/v1/processes`, { module: "accumulator", key: "dave", args: 1 });
  await cluster.npmStart.stop();
  assert.equal(await redis.connect().ping(), "PONG");
});

test("says which child cannot start, in its words, and stops", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "modules-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "broken.ts"), "this is no module");
  const { npmStart } = await buildNpmStart(t, { MODULES_DIR: folder });
  await npmStart.start();
  assert.equal((await npmStart.untilExit()).code, 1);
  assert.match(npmStart.stdout.join("\n"), /broken\.ts/);
  assert.match(npmStart.stderr.at(-1) ?? "", /^npm start: (api|worker)-1 does not start \(exit code 1\)/);
});

test("explains its settings, and refuses a flag that it does not know", async () => {
  for (const [flag, code] of [
    ["--help", 0],
    ["--port", 1],
  ] as const) {
    const script = join(root, "local/src/main.ts");
    const npmStart = nodeChild({ name: "npm start", script, args: [flag] });
    await npmStart.start();
    assert.equal((await npmStart.untilExit()).code, code);
    assert.match([...npmStart.stdout, ...npmStart.stderr].join("\n"), code ? /Unknown option '--port'/ : /LB_PORT/);
  }
});
