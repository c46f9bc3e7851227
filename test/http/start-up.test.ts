import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { findFreePort } from "@genserverless/local/ports.ts";
import { readWorkerSettings } from "@genserverless/worker/config.ts";
import { assertNoChildLeft, type Child, nodeChild } from "../tools/child.ts";
import { RedisServer } from "../tools/redis-server.ts";
import { until } from "../tools/until.ts";

/** How each node meets what is wrong when it starts: it waits for what may come, and refuses by name what may not. */

const ROOT = join(import.meta.dirname, "../..");
const SOON = { withinMs: 15_000 };
const ROLES = ["api", "worker", "sysmon"] as const;
type Role = (typeof ROLES)[number];

const redis = new RedisServer({ password: "test-secret" });
let folder = "";

before(async () => {
  await redis.start();
  folder = await mkdtemp(join(tmpdir(), "start-up-"));
  await mkdir(join(folder, "node_modules"));
  await symlink(join(ROOT, "sdk"), join(folder, "node_modules/genserverless"));
});
after(async () => {
  await redis.stop();
  await rm(folder, { recursive: true });
  assertNoChildLeft();
});

async function startNode(t: TestContext, role: Role, env: Record<string, string> = {}): Promise<Child> {
  const settings = { REDIS_URL: redis.url, NODE_NAME: `${role}-1`, PORT: "0", SYSMON_PORT: "0", DRAIN_MS: "50" };
  const script = join(ROOT, role, "src/main.ts");
  const child = nodeChild({ name: role, script, cwd: ROOT, env: { ...settings, ...env } });
  t.after(() => child.kill());
  await child.start();
  return child;
}

/** All that it said; sysmon logs to stderr, for its stdout is the picture's. */
const saidBy = ({ stdout, stderr }: Child) => [...stdout, ...stderr];
const countSaid = (node: Child, match: RegExp) => saidBy(node).filter((line) => match.test(line)).length;

/** It has left with code 1, its last word fits, and there is no stack in what it said. */
async function assertRefusesToStart(t: TestContext, role: Role, env: Record<string, string>, why: RegExp) {
  const node = await startNode(t, role, env);
  await until(() => !node.isAlive, { ...SOON, what: `${role} leaves because of ${why}` });
  assert.deepEqual(await node.untilExit(), { code: 1, signal: null }, node.lastWords());
  const said = saidBy(node).join("\n");
  assert.equal(countSaid(node, why), 1, `${role} says ${why} once, not:\n${said}`);
  assert.doesNotMatch(said.replaceAll("\\n", "\n"), /^\s+at /m);
}

async function writeModules(name: string, files: Record<string, string>): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text);
  return path;
}

const moduleNamed = (name: string) =>
  `import { defineServer } from "genserverless";\nexport default defineServer({ name: "${name}", version: 1, init: () => 0 });\n`;

/** Listens where Redis should, and hangs up on whoever connects. */
async function listenInPlaceOfRedis() {
  let attempts = 0;
  const server = createServer((socket) => {
    attempts++;
    socket.destroy();
  });
  await once(server.listen(redis.port, "127.0.0.1"), "listening");
  return { countAttempts: () => attempts, close: () => once(server.close(), "close") };
}

test("without Redis each node says so exactly once, waits, and comes up when Redis does", async (t) => {
  await redis.kill();
  const nodes = await Promise.all(ROLES.map((role) => startNode(t, role, { KEY_PREFIX: "late" })));
  const { port } = await (nodes[0] as Child).untilRecord(({ msg }) => msg === "http.listening", SOON);
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  for (const node of nodes) await until(() => countSaid(node, /redis\.unreachable/) > 0, SOON);
  const impostor = await listenInPlaceOfRedis();
  await until(() => impostor.countAttempts() >= 9, SOON);
  assert.equal((await get("/health")).status, 200);
  for (const path of ["/ready", "/v1/processes", "/v1/cluster"]) {
    const { status, body } = await get(path);
    assert.deepEqual([status, body["code"]], [503, "redis_unavailable"], path);
  }
  await impostor.close();
  for (const node of nodes) assert.deepEqual([node.isAlive, countSaid(node, /unreachable/)], [true, 1], node.name);

  await redis.restart();
  await until(async () => (await get("/ready")).status === 200, SOON);
  const readRoles = async () => ((await get("/v1/cluster")).body["nodes"] as { role: Role }[]).map(({ role }) => role);
  await until(async () => (await readRoles()).sort().join() === "api,sysmon,worker", SOON);
  for (const node of nodes) {
    assert.equal(countSaid(node, /redis\.unreachable/), 1, node.name);
    await node.stop();
    assert.deepEqual(await node.untilExit(), { code: 0, signal: null }, node.lastWords());
  }
});

test("a node that waits for Redis leaves at SIGTERM", async (t) => {
  const nowhere = { REDIS_URL: "redis://127.0.0.1:1" };
  const nodes = await Promise.all(ROLES.map((role) => startNode(t, role, nowhere)));
  for (const node of nodes) await until(() => countSaid(node, /redis\.unreachable/) === 1, SOON);
  for (const node of nodes) await node.stop();
  for (const node of nodes) assert.deepEqual(await node.untilExit(), { code: 0, signal: null }, node.lastWords());
});

for (const role of ROLES) {
  test(`${role} refuses a Redis of another partition count or layout version, and leaves no trace in it`, async (t) => {
    const client = redis.connect();
    await client.hset("small:{members}:cluster", { layout: 3, partitions: 16 });
    await client.hset("old:{members}:cluster", { layout: 7, partitions: 64 });
    const before = (await client.keys("*")).sort();
    await Promise.all([
      assertRefusesToStart(t, role, { KEY_PREFIX: "small" }, /founded with 16 partitions, and PARTITIONS here is 64/),
      assertRefusesToStart(t, role, { KEY_PREFIX: "old" }, /holds layout version 7 under .*"old.*speaks version 3/),
    ]);
    assert.deepEqual((await client.keys("*")).sort(), before);
    assert.equal(await client.hget("small:{members}:cluster", "partitions"), "16");
  });

  test(`${role} refuses a log level that does not exist by its name`, (t) => {
    return assertRefusesToStart(t, role, { LOG_LEVEL: "loud" }, /LOG_LEVEL/);
  });
}

const WRONG_SETTINGS: [name: string, value: string][] = [
  ["PARTITIONS", "many"],
  ["SESSION_TTL_MS", "5"],
  ["REDIS_URL", "http://127.0.0.1"],
  ["KEY_PREFIX", "a:b"],
  ["NODE_NAME", "a node"],
  ["MOST_RUNNING", "-1"],
];

for (const [name, value] of WRONG_SETTINGS) {
  test(`${name}=${value} is refused by its name`, () => {
    const why = new RegExp(`^SettingError: ${name} must be`);
    assert.throws(() => readWorkerSettings({ REDIS_URL: redis.url, [name]: value }), why);
  });
}

test("a worker with a setting that is refused does not start", (t) => {
  return assertRefusesToStart(t, "worker", { PARTITIONS: "many" }, /PARTITIONS must be/);
});

test("a password file that cannot be read and a port out of range are named", async (t) => {
  const file = { REDIS_URL: "", REDIS_PASSWORD_FILE: join(folder, "no-such-file") };
  await Promise.all([
    assertRefusesToStart(t, "worker", file, /REDIS_PASSWORD_FILE/),
    assertRefusesToStart(t, "api", { PORT: "65536" }, /PORT must be a whole number from 0 to 65535/),
    assertRefusesToStart(t, "sysmon", { SYSMON_PORT: "http" }, /SYSMON_PORT must be a whole number/),
  ]);
});

test("a port that is in use is named", async (t) => {
  const occupant = createServer().listen(0, "127.0.0.1");
  t.after(() => occupant.close());
  const { port } = (await until(() => occupant.address(), SOON)) as AddressInfo;
  const ports = { PORT: String(port), SYSMON_PORT: String(port) };
  await assertRefusesToStart(t, "api", ports, new RegExp(`\\bPORT ${port} on 127.0.0.1 is in use`));
  await assertRefusesToStart(t, "sysmon", ports, new RegExp(`SYSMON_PORT ${port} on 127.0.0.1 is in use`));
});

/** What else a module's file can be wrong about is in sdk/src/load-modules.test.ts. */
const BAD_MODULES: [name: string, files: Record<string, string>, why: RegExp][] = [
  ["a file that does not parse", { "broken.ts": "export default {;\n" }, /broken\.ts/],
  ["a file that throws", { "thrower.mjs": "throw new Error('no luck');\n" }, /thrower\.mjs: no luck/],
];

for (const [index, [name, files, why]] of BAD_MODULES.entries()) {
  test(`${name} is refused with the file's name`, async (t) => {
    await assertRefusesToStart(t, "worker", { MODULES_DIR: await writeModules(`bad-${index}`, files) }, why);
  });
}

test("a module doubled over two folders, and a folder that is not there, are named", async (t) => {
  const one = await writeModules("one", { "same.ts": moduleNamed("same") });
  const two = await writeModules("two", { "also.ts": moduleNamed("same") });
  await Promise.all([
    assertRefusesToStart(t, "api", { MODULES_DIR: `${one}:${two}` }, /also\.ts: the name .*taken by .*same\.ts/),
    assertRefusesToStart(t, "worker", { MODULES_DIR: `${one}:${folder}/none` }, /MODULES_DIR: .*none cannot be read/),
  ]);
});

test("an api that listens has joined: whoever finds it is served", async (t) => {
  const port = await findFreePort();
  await startNode(t, "api", { PORT: String(port), KEY_PREFIX: "joined" });
  const ask = () => fetch(`http://127.0.0.1:${port}/v1/cluster`).catch(() => undefined);
  assert.equal((await until(ask, { ...SOON, everyMs: 1 })).status, 200);
});
