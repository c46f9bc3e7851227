/** The cluster as containers: what a person does with docker-compose and curl. Run by `npm run test:docker` alone. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../tools/until.ts";
import { ComposeProject, docker } from "./compose.ts";

const READY = { withinMs: 90_000 };
const SOON = { withinMs: 30_000 };
const LIMIT = { timeout: 5 * 60_000 };

interface Answer {
  status: number;
  servedBy: string | null;
  body: Record<string, unknown>;
}

let project: ComposeProject;

before(
  async () => {
    project = await ComposeProject.create({ SESSION_TTL_MS: "2000" });
    await project.run("build");
    await project.run("up", "-d", "--scale", "api=2", "--scale", "worker=2");
    await until(async () => (await fetch(`${project.url}/ready`).catch(() => undefined))?.status === 200, READY);
  },
  { timeout: 12 * 60_000 },
);

after(() => project?.remove(), { timeout: 2 * 60_000 });

async function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(project.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close", ...headers },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    servedBy: response.headers.get("x-served-by"),
    body: (await response.json()) as Answer["body"],
  };
}

const call = (pid: string, message: unknown) => post(`/v1/processes/${pid}/call`, { message });

/** As a client should: with a key of its own, again until there is an answer. */
async function addOnce(pid: string, key: string): Promise<void> {
  const add = { message: { add: 1 }, timeoutMs: 10_000 };
  await until(async () => {
    const sent = post(`/v1/processes/${pid}/call`, add, { "idempotency-key": key });
    return (await sent.catch(() => undefined))?.status === 200;
  }, SOON);
}

async function startCounter(key: string): Promise<string> {
  const { status } = await post("/v1/processes", { module: "accumulator", key, args: 0 });
  assert.equal(status, 201);
  return `accumulator/${key}`;
}

async function readNodes(): Promise<{ id: string; name: string; role: string }[]> {
  const response = await fetch(`${project.sysmonUrl}/api/cluster`);
  return ((await response.json()) as { nodes: { id: string; name: string; role: string }[] }).nodes;
}

test("a counter is started, cast to, called and stopped, and the worker tells its story", LIMIT, async () => {
  const started = await post("/v1/processes", { module: "accumulator", key: "alice", args: 100 });
  assert.deepEqual([started.status, started.body["pid"]], [201, "accumulator/alice"]);
  for (const message of [10, 20]) {
    const { status, body } = await post("/v1/processes/accumulator/alice/cast", { message });
    assert.equal(status, 202, JSON.stringify(body));
  }
  const called = await call("accumulator/alice", "total");
  assert.deepEqual([called.status, called.body["reply"]], [200, 130]);
  const stopped = await post("/v1/processes/accumulator/alice/stop", {});
  assert.deepEqual([stopped.status, stopped.body], [200, { reason: "normal" }]);

  const log = await project.logs("worker");
  assert.match(log, /"initial":100/);
  assert.match(log, /"acc":110,"count":1/);
  assert.match(log, /"acc":130,"count":2/);
  assert.match(log, /"reason":"normal","final":130,"count":2/);
});

test("sysmon's page shows every node", LIMIT, async () => {
  const roles = async () => (await readNodes()).map(({ role }) => role).sort();
  await until(async () => (await roles()).join() === "api,api,sysmon,worker,worker", SOON);
});

test("a counter goes on when a worker's container is killed", LIMIT, async () => {
  const pid = await startCounter("survivor");
  const adds = Array.from({ length: 40 }, (_, i) => addOnce(pid, `add-${i}`));
  const [victim = ""] = await project.containers("worker");
  await docker("kill", victim);
  await Promise.all(adds);
  assert.equal((await call(pid, "total")).body["reply"], 40);
  await project.run("up", "-d", "--no-recreate", "--scale", "api=2", "--scale", "worker=2");
});

test("a worker's container that is started again after a kill ends its old session at once", LIMIT, async (t) => {
  const muchLonger = `SESSION_TTL_MS=${10 * SOON.withinMs}`;
  const worker = (await project.run("run", "-d", "--no-deps", "-e", muchLonger, "worker")).trim();
  t.after(async () => {
    await docker("stop", worker);
    await docker("rm", worker);
  });
  const name = `worker@${await docker("inspect", "--format", "{{.Config.Hostname}}", worker)}`;
  const readSessions = async () => (await readNodes()).filter((node) => node.name === name).map(({ id }) => id);
  const readOnlySession = async (after = "") => {
    const [session, ...others] = await readSessions();
    return others.length === 0 && session !== after && session;
  };
  let last = await until(() => readOnlySession(), SOON);
  // More than once: pids differ from start to start.
  for (let kill = 0; kill < 3; kill++) {
    await docker("kill", worker);
    assert.deepEqual(await readSessions(), [last]);
    await docker("start", worker);
    last = await until(() => readOnlySession(last), SOON);
  }
});

test("the load balancer finds a third api by itself", LIMIT, async () => {
  const pid = await startCounter("scaled");
  const [lb = ""] = await project.containers("lb");
  const readStart = () => docker("inspect", "--format", "{{.State.StartedAt}}", lb);
  const startedAt = await readStart();
  await project.run("up", "-d", "--no-recreate", "--scale", "api=3", "--scale", "worker=2");
  const seen = new Set<string | null>();
  await until(async () => {
    const { status, servedBy } = await call(pid, "total");
    assert.equal(status, 200);
    seen.add(servedBy);
    return seen.size === 3;
  }, SOON);
  assert.deepEqual([await project.containers("lb"), await readStart()], [[lb], startedAt]);
});

test("a counter goes on where it was when Redis is stopped and started", LIMIT, async () => {
  const pid = await startCounter("patient");
  await addOnce(pid, "before");
  await project.run("stop", "redis");
  const refused = await call(pid, "total");
  assert.equal(refused.status, 503);
  await project.run("start", "redis");
  await addOnce(pid, "after");
  assert.equal((await call(pid, "total")).body["reply"], 2);
});
