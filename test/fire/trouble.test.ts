import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/** Callbacks that do what callbacks should not: the caller is told which, the state is the last committed one, the next message runs. */

const SOON = { withinMs: 60_000 };
/** Two thirds of it go by before a blocked worker is found; what is left is for asking it where it is. */
const cluster = new TestCluster({ apis: 1, workers: 2, sessionTtlMs: 4_000 });
const { client } = cluster;

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

const FAILURES: [trouble: object, code: string, detail: RegExp][] = [
  [{ do: "throw" }, "callback_failed", /^troublemaker\.handleCall threw RangeError: as asked$/],
  [{ do: "throw-text" }, "callback_failed", /threw a value that is no error: 'a text'$/],
  [{ do: "throw-odd" }, "callback_failed", /threw a value that /],
  [{ do: "nonsense" }, "invalid_return", /^troublemaker\.handleCall returned .*neither.*; legal returns are reply\(/],
  [{ do: "hang" }, "callback_timeout", /^troublemaker\.handleCall was not done within 2000 ms$/],
  [{ do: "overstay", ms: 2_300 }, "callback_timeout", /was not done within 2000 ms$/],
  [{ do: "mutate-and-throw" }, "callback_failed", /after a mutation/],
  [{ do: "bigint" }, "state_not_json", /BigInt/],
  [{ do: "cycle" }, "state_not_json", /circular/],
  [{ do: "big", bytes: 20_000_000 }, "state_too_large", /20000\d+ bytes; at most 8388608/],
];

for (const [trouble, code, detail] of FAILURES) {
  const name = String((trouble as { do: string }).do);
  test(`a callback's ${name} is ${code} to its caller, and changes nothing`, async () => {
    const pid = `troublemaker/${name}`;
    assert.equal((await client.start("troublemaker", name)).status, 201);
    assert.equal((await client.call(pid, { do: "add" })).body["reply"], 1);
    const failed = await client.call(pid, trouble);
    assert.deepEqual([failed.status, failed.body["code"]], [500, code]);
    assert.match(String(failed.body["detail"]), detail);
    assert.equal("stack" in failed.body, false);
    const { state, turns } = (await client.read(pid)).body as { state: unknown; turns: number };
    assert.deepEqual(state, { count: 1, notes: [] });
    assert.equal(turns, 3);
    assert.equal((await client.call(pid, { do: "add" })).body["reply"], 2);
  });
}

test("code that goes on after its deadline finds its context sealed, its signal fired and its state discarded", async () => {
  const pid = "troublemaker/overstayer";
  await client.start("troublemaker", "overstayer");
  assert.equal((await client.call(pid, { do: "overstay", ms: 2_200 })).body["code"], "callback_timeout");
  const read = async () =>
    (await client.call(pid, { do: "read" })).body["reply"] as { aftermath: string; count: number };
  const { count } = await until(async () => ((await read()).aftermath ? await read() : undefined), {
    withinMs: 60_000,
  });
  assert.deepEqual([count, (await read()).aftermath], [0, "TurnEndedError, aborted true"]);
});

test("a cast that fails is a dead letter, readable with its reason and stack", async () => {
  const pid = "troublemaker/letters";
  await client.start("troublemaker", "letters");
  const { messageId } = (await client.cast(pid, { do: "throw" })).body;
  const letter = await until(
    async () => ((await client.get(`/v1/processes/${pid}/dead-letters`)).body["deadLetters"] as never[])[0],
    { withinMs: 60_000 },
  );
  const { reason, stack, kind, message, messageId: id } = letter as Record<string, string>;
  assert.deepEqual([id, kind, message], [messageId, "cast", { do: "throw" }]);
  assert.match(String(reason), /^troublemaker\.handleCast threw RangeError: as asked$/);
  assert.match(String((stack as unknown as string[])[1]), /troublemaker\.ts/);
  const outcome = (await client.get(`/v1/messages/${messageId}`)).body;
  assert.deepEqual([outcome["status"], (outcome["error"] as { code: string }).code], ["failed", "callback_failed"]);
});

test("an init that fails or stops leaves no process", async () => {
  for (const [init, code] of [
    ["throw", "init_failed"],
    ["stop", "init_stopped"],
    ["nonsense", "init_failed"],
  ] as const) {
    const key = `init-${init}`;
    const failed = await client.start("troublemaker", key, { args: { init } });
    assert.deepEqual([failed.status, failed.body["code"]], [422, code]);
    assert.equal((await client.read(`troublemaker/${key}`)).status, 404);
    assert.equal((await client.start("troublemaker", key)).status, 201);
  }
});

test("a continuation runs before any other message", async () => {
  const pid = "troublemaker/continuing";
  await client.start("troublemaker", "continuing");
  const [first, second] = await Promise.all([
    client.call(pid, { do: "continue", value: "here" }),
    client.call(pid, { do: "read" }),
  ]);
  assert.equal(first.body["reply"], "continuing");
  const { notes } = second.body["reply"] as { notes: string[] };
  assert.ok(notes.length === 0 || notes[0] === "continued here");
  const { reply } = (await client.call(pid, { do: "read" })).body as { reply: { notes: string[] } };
  assert.deepEqual(reply.notes, ["continued here"]);
});

test("a process that stops itself replies, and is gone or kept by its reason", async () => {
  await client.start("troublemaker", "quitter");
  const pid = "troublemaker/quitter";
  await client.call(pid, { do: "add" });
  assert.equal((await client.call(pid, { do: "stop", reason: "enough" })).body["reply"], "stopped");
  assert.equal((await client.read(pid)).body["status"], "stopped");
  assert.equal((await client.call(pid, { do: "read" })).status, 404);
  assert.equal((await client.start("troublemaker", "quitter")).status, 201);
  assert.equal((await client.call(pid, { do: "add" })).body["reply"], 2);
  assert.equal((await client.call(pid, { do: "stop", reason: "normal" })).body["reply"], "stopped");
  assert.equal((await client.read(pid)).status, 404);
});

test("a hibernating process sleeps at once and wakes with its state", async () => {
  const pid = "troublemaker/sleeper";
  await client.start("troublemaker", "sleeper");
  await client.call(pid, { do: "add" });
  assert.equal((await client.call(pid, { do: "hibernate" })).body["reply"], "good night");
  await until(async () => (await client.read(pid)).body["owner"] === null, SOON);
  assert.equal((await client.call(pid, { do: "add" })).body["reply"], 2);
});

test("what a module's code does beside its turn ends no node", async () => {
  const pids = new Set(cluster.workers.map(({ pid }) => pid));
  await client.start("troublemaker", "stray");
  assert.equal((await client.call("troublemaker/stray", { do: "stray" })).body["reply"], "gone astray");
  const strays = () => cluster.workers.flatMap(({ records }) => records).filter(({ msg }) => msg === "module.stray");
  await until(() => strays().length === 2, SOON);
  assert.deepEqual(new Set(cluster.workers.map(({ pid }) => pid)), pids);
  assert.equal((await client.call("troublemaker/stray", { do: "add" })).body["reply"], 1);
});

test("a worker that dies while terminate waits leaves nothing of the turn that stopped", {
  timeout: 240_000,
}, async () => {
  const pid = "troublemaker/slow-end";
  await client.start("troublemaker", "slow-end");
  // The three share a batch: what comes first is committed while terminate of the last one waits.
  await client.act(pid, "pause");
  const untilWaiting = (count: number) =>
    until(async () => ((await client.read(pid)).body["mailbox"] as { waiting: number }).waiting === count, SOON);
  const added = Array.from({ length: 2 }, () => client.call(pid, { do: "add" }, { timeoutMs: 60_000 }));
  await untilWaiting(2);
  const stopped = client.call(pid, { do: "stop", reason: "slowly" }, { timeoutMs: 60_000 });
  await untilWaiting(3);
  await client.act(pid, "resume");
  const worker = await Promise.any(
    cluster.workers.map(async (each) => {
      await each.untilRecord(({ msg, pid: logged }) => msg === "troublemaker ends" && logged === pid, {
        withinMs: 60_000,
      });
      return each;
    }),
  );
  assert.deepEqual((await Promise.all(added)).map(({ body }) => body["reply"]).sort(), [1, 2]);
  await worker.kill();
  await worker.start();
  assert.equal((await stopped).body["reply"], "stopped");
  const { state, status } = (await client.read(pid)).body as { state: { count: number }; status: string };
  assert.deepEqual([state.count, status], [2, "stopped"]);
});

test("a continuation that loops for ever ends three nodes and is given up", { timeout: 240_000 }, async () => {
  const pid = "troublemaker/continuing-loop";
  await client.start("troublemaker", "continuing-loop");
  using _ = keepWorkersUp();
  assert.equal((await client.call(pid, { do: "continue", value: "loop" })).status, 200);
  assert.equal((await client.call(pid, { do: "add" }, { timeoutMs: 120_000 })).body["reply"], 1);
  await untilWorkersAreBack();
  const isTold = () =>
    cluster.workers.flatMap(({ records }) => records).filter(({ code, pid: of }) => code === "node_died" && of === pid)
      .length === 1;
  await until(isTold, { ...SOON, what: "one node tells that it has given up" });
});

test("a message that loops for ever ends three nodes and is a dead letter, its neighbours unharmed", {
  timeout: 240_000,
}, async () => {
  const pid = "troublemaker/looper";
  await client.start("troublemaker", "looper");
  using _ = keepWorkersUp();
  const loop = client.call(pid, { do: "loop" }, { timeoutMs: 120_000 });
  const neighbours = await Promise.all(
    Array.from({ length: 5 }, () => client.call(pid, { do: "add" }, { timeoutMs: 120_000 })),
  );
  const ended = await loop;
  await untilWorkersAreBack();
  assert.deepEqual(neighbours.map(({ body }) => body["reply"]).sort(), [1, 2, 3, 4, 5]);
  assert.deepEqual([ended.status, ended.body["code"]], [500, "node_died"]);
  const letters = (await client.get(`/v1/processes/${pid}/dead-letters`)).body["deadLetters"] as Record<
    string,
    unknown
  >[];
  assert.deepEqual(
    letters.map(({ kind, deaths }) => [kind, deaths]),
    [["call", 3]],
  );
  const stack = String(letters[0]?.["stack"]);
  assert.match(stack, /makeTrouble \(.*troublemaker\.ts:\d+\)/);
});

/** Starts each worker again when it has died, as a supervisor does, for as long as the test runs. */
function keepWorkersUp(): Disposable {
  const timer = setInterval(() => {
    for (const worker of cluster.workers) if (!worker.isAlive) void worker.start();
  }, 100);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** A worker that ends leaves the members before it dies, and is a member again under its new pid. */
async function untilWorkersAreBack(): Promise<void> {
  const areBack = async () => {
    const { nodes } = (await client.get("/v1/cluster")).body as { nodes: { role: string; osPid: number }[] };
    const members = nodes.filter(({ role }) => role === "worker").map(({ osPid }) => osPid);
    const living = cluster.workers.filter(({ isAlive }) => isAlive).map(({ pid }) => pid);
    return living.length === cluster.workers.length && String(members.sort()) === String(living.sort());
  };
  await until(areBack, { ...SOON, what: "every worker is back" });
}
