import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertProblem } from "../http/problem.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";

/** The modules that come with the cluster, alone in it, as their callers meet them. */

const cluster = new TestCluster({ apis: 1, workers: 1, modulesDir: "modules", env: { DRAIN_MS: "50" } });
const { client } = cluster;

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

const reply = async (pid: string, message: unknown) => {
  const { status, body } = await client.call(pid, message);
  assert.equal(status, 200, JSON.stringify(body));
  return body["reply"];
};

test("the samples and the supervisor are what a cluster has to offer", async () => {
  const { nodes } = (await client.get("/v1/cluster")).body as { nodes: { role: string; modules?: string[] }[] };
  const worker = nodes.find(({ role }) => role === "worker");
  const samples = [
    "account",
    "accumulator",
    "cart",
    "frontier",
    "game-room",
    "pool",
    "pool-worker",
    "stack",
    "transfer",
    "work",
  ];
  assert.deepEqual(worker?.modules?.sort(), [...samples, "supervisor"].sort());
});

test("an accumulator begins with the number it is given, and with 0 for anything else", async () => {
  const beginnings: [args: unknown, total: number][] = [
    [100, 100],
    [-0.5, -0.5],
    [0, 0],
    [undefined, 0],
    [null, 0],
    ["100", 0],
    [{ acc: 1 }, 0],
  ];
  for (const [index, [args, total]] of beginnings.entries()) {
    assert.equal((await client.start("accumulator", `begin-${index}`, { args })).status, 201);
    assert.equal(await reply(`accumulator/begin-${index}`, "total"), total);
  }
});

test("an accumulator adds what is cast and called, and a call's reply is the new total", async () => {
  const pid = "accumulator/adding";
  await client.start("accumulator", "adding", { args: 1 });
  await client.cast(pid, 2);
  assert.equal(await reply(pid, { add: 3 }), 6);
  assert.equal(await reply(pid, { add: -10.5 }), -4.5);
  assert.deepEqual((await client.read(pid)).body["state"], { acc: -4.5, count: 3 });
});

test("an accumulator refuses what is no number, and what would leave the numbers", async () => {
  const pid = "accumulator/strict";
  await client.start("accumulator", "strict", { args: 1e308 });
  for (const message of [{ add: "1" }, { add: null }, "sum", null]) {
    assertProblem(await client.call(pid, message), "500 callback_failed");
  }
  assertProblem(await client.call(pid, { add: 1e308 }), "500 callback_failed");
  assert.equal(await reply(pid, "total"), 1e308);
});

test("a stack pops what was pushed last; peek and size leave it", async () => {
  const pid = "stack/plates";
  await client.start("stack", "plates", { args: ["bottom"] });
  for (const push of ["middle", { nested: [1, null] }]) assert.equal((await client.cast(pid, { push })).status, 202);
  assert.equal(await reply(pid, "size"), 3);
  assert.deepEqual(await reply(pid, "peek"), { nested: [1, null] });
  assert.deepEqual(await reply(pid, "pop"), { nested: [1, null] });
  assert.equal(await reply(pid, "pop"), "middle");
  assert.deepEqual((await client.read(pid)).body["state"], ["bottom"]);
});

test("an empty stack pops and peeks null, and its size tells it from one that holds null", async () => {
  const pid = "stack/empty";
  await client.start("stack", "empty");
  assert.deepEqual([await reply(pid, "pop"), await reply(pid, "peek"), await reply(pid, "size")], [null, null, 0]);
  await client.cast(pid, { push: null });
  assert.deepEqual([await reply(pid, "peek"), await reply(pid, "size")], [null, 1]);
  assert.deepEqual([await reply(pid, "pop"), await reply(pid, "size")], [null, 0]);
});

test("a stack begins with a list or not at all", async () => {
  for (const args of ["abc", 7, { length: 1 }, true]) {
    const refused = await client.start("stack", "no-list", { args });
    assertProblem(refused, "422 init_failed");
    assert.match(String(refused.body["detail"]), /stack starts from a list, not /);
  }
  assertProblem(await client.read("stack/no-list"), "404 no_process");
  assert.equal((await client.start("stack", "no-list", { args: [] })).status, 201);
});

test("a stack refuses calls and casts that it does not know", async () => {
  const pid = "stack/strict";
  await client.start("stack", "strict", { args: [1] });
  assertProblem(await client.call(pid, "clear"), "500 callback_failed");
  for (const message of ["push", {}, null]) {
    const { messageId } = (await client.cast(pid, message)).body;
    const outcome = (await client.get(`/v1/messages/${messageId}?wait=5000`)).body;
    assert.deepEqual([outcome["status"], (outcome["error"] as { code: string }).code], ["failed", "callback_failed"]);
  }
  assert.equal(await reply(pid, "pop"), 1);
});

test("an info that a module does not take is ignored", async () => {
  await client.start("accumulator", "informed", { args: 1 });
  const { messageId } = (await client.info("accumulator/informed", "news")).body;
  assert.equal((await client.get(`/v1/messages/${messageId}?wait=5000`)).body["status"], "done");
  assert.deepEqual((await client.read("accumulator/informed")).body["state"], { acc: 1, count: 0 });
});
