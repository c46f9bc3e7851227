import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertNoChildLeft } from "../tools/child.ts";
import { CounterLoad } from "../tools/counter-load.ts";
import { TEST_MODULES, TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/** Nodes leave and join under load: no call is lost, no order disturbed, and load moves. */

const SOON = { withinMs: 60_000 };
const cluster = new TestCluster({
  apis: 1,
  workers: 1,
  sessionTtlMs: 2_000,
  modulesDir: `${TEST_MODULES}:test/contract/modules`,
  env: { DRAIN_MS: "300" },
});

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

interface NodeView {
  name: string;
  role: string;
  held: number;
  turns: number;
}

async function readWorkers(): Promise<NodeView[]> {
  const { nodes } = (await cluster.client.get("/v1/cluster")).body as { nodes: NodeView[] };
  return nodes.filter(({ role }) => role === "worker");
}

test("scaling workers from 1 to 4 and back to 1 loses no call and moves load", { timeout: 240_000 }, async () => {
  const load = new CounterLoad({
    urls: () => cluster.urls,
    clients: 32,
    processes: 200,
    prefix: "s",
    timeoutMs: 30_000,
  });
  try {
    await load.start();
    await sleep(1_000);
    for (let worker = 0; worker < 3; worker++) await cluster.addWorker();
    await until(
      async () => {
        const workers = await readWorkers();
        return workers.length === 4 && workers.every(({ held }) => held >= 30 && held <= 200 / 2);
      },
      { ...SOON, what: "four workers share the load" },
    );
    for (const worker of cluster.workers.slice(1)) {
      await worker.stop();
      assert.deepEqual(await worker.untilExit(), { code: 0, signal: null });
      await sleep(300);
    }
    await until(async () => (await readWorkers()).map(({ held }) => held).join() === "200", {
      ...SOON,
      what: "the first worker has it all again",
    });
    await load.stop();
    assert.deepEqual(Object.keys(load.answers), ["ok"]);
    assert.deepEqual(await load.findViolations(), []);
  } finally {
    await load.close();
  }
});

test("SIGTERM of an api loses no call: what is in flight is answered, and it leaves the members at once", {
  timeout: 240_000,
}, async () => {
  // It is asked for its health while it drains.
  const leaving = await cluster.addApi({ DRAIN_MS: "2000" });
  await cluster.untilReady();
  const { client } = cluster;
  const url = leaving.url ?? "";
  await client.start("troublemaker", "slow");
  const inFlight = client.call("troublemaker/slow", { do: "sleep", ms: 500 }, { url, timeoutMs: 60_000 });
  await cluster.workers[0]?.untilRecord(({ msg }) => msg === "troublemaker sleeps", SOON);
  const left = leaving.stop();
  await until(async () => (await client.get("/health", { url })).status === 503, { ...SOON, everyMs: 5 });
  assert.equal((await inFlight).body["reply"], 1);
  await left;
  assert.equal((await leaving.untilExit()).code, 0);
  const { nodes } = (await client.get("/v1/cluster")).body as { nodes: NodeView[] };
  assert.deepEqual(nodes.map(({ name }) => name).sort(), ["api@api-1", "worker@worker-1"]);
});

test("SIGTERM of a worker lets the turn under way end", { timeout: 240_000 }, async () => {
  const { client } = cluster;
  await client.start("troublemaker", "ending");
  const [only] = cluster.workers;
  assert.ok(only);
  const heir = await cluster.addWorker();
  await heir.untilRecord(({ msg }) => msg === "session.registered", SOON);
  const inFlight = client.call("troublemaker/ending", { do: "sleep", ms: 500 }, { timeoutMs: 60_000 });
  await until(
    () =>
      cluster.workers
        .flatMap(({ records }) => records)
        .some(({ msg, pid }) => msg === "troublemaker sleeps" && pid === "troublemaker/ending"),
    SOON,
  );
  await only.stop();
  assert.equal((await inFlight).body["reply"], 1);
  const { state, turns } = (await client.read("troublemaker/ending")).body as {
    state: { count: number };
    turns: number;
  };
  assert.deepEqual([state.count, turns], [1, 2]);
});

test("SIGTERM of a worker gives up a turn that waits, and none of those before it, also where their state is not written yet", {
  timeout: 240_000,
}, async () => {
  const { client } = cluster;
  const run = (...steps: object[]) => ({ run: steps });
  const notesOf = async (pid: string) =>
    (await client.call(pid, run({ do: "notes" }), { timeoutMs: 60_000 })).body["reply"];
  await Promise.all(["one", "two"].map((key) => client.start("sleeper", key)));
  await Promise.all(["calls", "continues"].map((key) => client.start("late-writer", key)));
  const ask = (key: string) => [
    { do: "call", pid: `sleeper/${key}`, message: 3_000, timeoutMs: 60_000 },
    { do: "note", note: "asked" },
  ];
  for (const pid of ["late-writer/calls", "late-writer/continues"]) {
    for (const note of [1, 2, 3]) assert.equal((await client.call(pid, run({ do: "note", note }))).status, 200);
  }
  const inFlight = client.call("late-writer/calls", run(...ask("one")), { timeoutMs: 60_000 });
  await client.cast("late-writer/continues", run({ do: "next", next: { continue: run(...ask("two")) } }));
  const isAsked = async (key: string) => (await client.read(`sleeper/${key}`)).body["status"] === "running";
  await until(async () => (await isAsked("one")) && (await isAsked("two")), SOON);

  const leaving = cluster.workers.find(({ isAlive }) => isAlive);
  assert.ok(leaving);
  const heir = await cluster.addWorker();
  await heir.untilRecord(({ msg }) => msg === "session.registered", SOON);
  await leaving.stop();
  assert.deepEqual(await leaving.untilExit(), { code: 0, signal: null });

  assert.equal((await inFlight).status, 200);
  assert.deepEqual(await notesOf("late-writer/calls"), [1, 2, 3, "asked"]);
  await until(async () => ((await notesOf("late-writer/continues")) as unknown[]).length === 4, SOON);
  assert.deepEqual(await notesOf("late-writer/continues"), [1, 2, 3, "asked"]);
  for (const key of ["one", "two"]) {
    assert.equal((await client.call(`sleeper/${key}`, 0)).body["reply"], 2, `sleeper/${key} was asked once`);
  }
  const failed = cluster.workers
    .flatMap(({ records }) => records)
    .filter(({ msg, pid }) => {
      return msg === "turn.failed" && String(pid).startsWith("late-writer/");
    });
  assert.deepEqual(failed, []);
});
