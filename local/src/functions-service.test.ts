import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { GitRepository, httpProject } from "../../test/functions/git-repository.ts";
import { assertNoChildLeft, type Child, nodeChild } from "../../test/tools/child.ts";
import { until } from "../../test/tools/until.ts";
import { isAlive } from "./os-process.ts";
import { findFreePorts } from "./ports.ts";
import { root } from "./settings.ts";

const READY = { withinMs: 90_000 };
const SOON = { withinMs: 30_000 };
const PROBES = httpProject({
  hello: "(req, res) => res.end('hello')",
  version: "(req, res) => res.end(process.version)",
  env: "(req, res) => res.end(JSON.stringify(process.env))",
  read: `(req, res) => {
    try { res.end(require('node:fs').readFileSync(decodeURIComponent(req.url.slice(1)), 'utf8')); }
    catch (error) { res.end(error.code); }
  }`,
  redis: `(req, res) => require('node:net').connect(Number(req.url.slice(1)), '127.0.0.1')
    .on('error', (error) => res.end(error.code)).on('data', (said) => res.end(said)).write('KEYS *\\r\\n')`,
});

after(assertNoChildLeft);

interface Running {
  npmStart: Child;
  url: string;
  dataDir: string;
}

async function startCluster(t: TestContext, settings: Record<string, string> = {}): Promise<Running> {
  const dataDir = mkdtempSync(join(tmpdir(), "npm-start-"));
  const [lbPort, sysmonPort] = await findFreePorts(2);
  const env = {
    ...{ LB_PORT: String(lbPort), SYSMON_PORT: String(sysmonPort), DATA_DIR: dataDir, DRAIN_MS: "50" },
    ...{ API_REPLICAS: "1", WORKER_REPLICAS: "1", GATEWAY_REPLICAS: "0" },
    ...settings,
  };
  const npmStart = nodeChild({ name: "npm start", script: join(root, "local/src/main.ts"), env });
  t.after(() => npmStart.stop());
  await npmStart.start();
  await npmStart.untilLine(/^ready /, READY);
  return { npmStart, url: `http://127.0.0.1:${lbPort}`, dataDir };
}

async function deploy(
  { url }: Running,
  repository: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${url}/api/projects`, { method: "POST", headers, body: JSON.stringify({ repository }) });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

async function invoke({ url }: Running, path: string): Promise<string> {
  return (await fetch(`${url}/invoke/alice-probes/${path}`)).text();
}

function deployProbes(t: TestContext): GitRepository {
  const repository = new GitRepository("probes");
  t.after(() => repository.remove());
  repository.commit(PROBES);
  return repository;
}

/** pids by name of what npm start has running. */
function readChildren({ dataDir }: Running): Map<string, number> {
  const lines = readFileSync(join(dataDir, "children"), "utf8").trim().split("\n");
  return new Map(lines.map((line) => [line.split(" ")[2] ?? "", Number(line.split(" ")[0])]));
}

test("functions are deployed and called, never learn how to get at Redis, and go when npm start is killed", async (t) => {
  const cluster = await startCluster(t, { MODULES_DIR: "test/work-modules" });
  const { dataDir } = cluster;
  const deployed = await deploy(cluster, deployProbes(t).path);
  assert.deepEqual([deployed.status, deployed.body["project"]], [200, "alice-probes"], JSON.stringify(deployed.body));
  await until(async () => (await invoke(cluster, "hello")) === "hello", SOON);

  const password = readFileSync(join(dataDir, "redis-password"), "utf8");
  const port = /^port (\d+)$/m.exec(readFileSync(join(dataDir, "redis.conf"), "utf8"))?.[1];
  assert.match(await invoke(cluster, `redis/${port}`), /^-NOAUTH/);
  assert.equal(await invoke(cluster, "version"), process.version);
  const env = JSON.parse(await invoke(cluster, "env")) as Record<string, string>;
  assert.deepEqual(
    Object.keys(env).filter((name) => !["HOME", "LANG", "PATH", "PWD", "TMPDIR"].includes(name)),
    [],
  );
  const children = readChildren(cluster);
  const secrets = [join(dataDir, "redis-password"), join(dataDir, "redis.conf"), join(dataDir, "functions-token")];
  const memory = [...children.values()].flatMap((pid) => [`/proc/${pid}/environ`, `/proc/${pid}/cmdline`]);
  for (const file of [...secrets, ...memory, "/proc/self/environ"])
    assert.match(await invoke(cluster, `read/${encodeURIComponent(file)}`), /^E(RR_ACCESS_DENIED|ACCES|NOENT)$/, file);

  const read = (pid: number | undefined, file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8");
  for (const [name, pid] of children) assert.equal(read(pid, "cmdline").includes(password), false, name);
  const given = read(children.get("functions"), "environ").split("\0");
  assert.deepEqual(
    given.filter((setting) => /^(REDIS|SYSMON|API|STATE_STORES|REMOTE)/.test(setting) || setting.includes(password)),
    [],
  );
  const modules = await fetch(`${cluster.url}/v1/modules`).then((answer) => answer.json());
  const names = (modules as { modules: { name: string }[] }).modules.map(({ name }) => name);
  for (const name of ["tally", "functions.project", "functions.function"])
    assert.ok(names.includes(name), String(names));

  const service = children.get("functions");
  const sandboxes = read(service, `task/${service}/children`).trim().split(" ").map(Number);
  assert.ok(sandboxes.length >= 1 && isAlive(Number(sandboxes[0])));
  await cluster.npmStart.kill();
  for (const pid of [...children.values(), ...sandboxes]) await until(() => !isAlive(pid), SOON);
});

test("a project's user may read none of the cluster's secrets, also where Node would let it; a kill costs nothing but the calls in flight", {
  skip: process.getuid?.() !== 0,
}, async (t) => {
  const cluster = await startCluster(t);
  await deploy(cluster, deployProbes(t).path);
  await until(async () => (await invoke(cluster, "hello")) === "hello", SOON);
  const readAs = (file: string) =>
    execFileSync("setpriv", ["--reuid=52000", "--regid=52000", "--clear-groups", "cat", file], { stdio: "pipe" });
  const { dataDir } = cluster;
  const [api, functions] = ["api-1", "functions"].map((name) => `/proc/${readChildren(cluster).get(name)}/environ`);
  const append = readdirSync(join(dataDir, "redis"), { recursive: true }).map((name) => join("redis", String(name)));
  const files = ["redis-password", "redis.conf", "functions-token", "sysmon-token", "logs/api-1.log", ...append];
  for (const file of [...files.map((name) => join(dataDir, name)), api, functions])
    assert.throws(() => readAs(String(file)), /Permission denied/, file);
  assert.match(String(readAs(join(root, "package.json"))), /genserverless/);

  const killed = readChildren(cluster).get("functions") as number;
  process.kill(killed, "SIGKILL");
  await until(() => ![killed, undefined].includes(readChildren(cluster).get("functions")), SOON);
  await until(async () => (await invoke(cluster, "hello")) === "hello", SOON);
});

test("FUNCTIONS=off starts none, and says what is missing", async (t) => {
  const cluster = await startCluster(t, { FUNCTIONS: "off" });
  assert.equal(readChildren(cluster).has("functions"), false);
  const { status, body } = await deploy(cluster, "/nowhere");
  assert.equal(status, 503);
  assert.match(JSON.stringify(body), /FUNCTIONS_URL/);
});

test("starts where there is no git, and says so when something is deployed", async (t) => {
  const path = mkdtempSync(join(tmpdir(), "path-"));
  const bin = join(path, "bin");
  mkdirSync(bin);
  const programs = ["sh", "ps", "env", "mount", "chroot", "setpriv", "prlimit", "unshare", "redis-server", "haproxy"];
  for (const name of programs) symlinkSync(execFileSync("which", [name], { encoding: "utf8" }).trim(), join(bin, name));
  const cluster = await startCluster(t, { PATH: bin });
  assert.match(cluster.npmStart.stdout.join("\n"), /git must be installed first.*git\.missing/);
  const { status, body } = await deploy(cluster, deployProbes(t).path);
  assert.equal(status, 500);
  assert.match(String(body["message"]), /there is no git on this machine/);
});
