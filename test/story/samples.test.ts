import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/** The samples in modules/, as their callers meet them, while workers die. What each does in detail: modules/*.test.ts. */

/** Of three workers one is there while two boot: where none is, orders are refused. */
const cluster = new TestCluster({ apis: 1, workers: 3, modulesDir: "modules:test/modules" });
const { client } = cluster;
const SOON = { withinMs: 60_000 };

before(() => cluster.start());
after(async () => {
  // A worker that is still booting does not leave in good order.
  await cluster.untilBack(SOON.withinMs);
  await cluster.stop();
  assertNoChildLeft();
});

async function ask(pid: string, message: unknown): Promise<unknown> {
  const { status, body } = await client.call(pid, message, { timeoutMs: 30_000 });
  assert.equal(status, 200, JSON.stringify(body));
  return body["reply"];
}

const stateOf = async (pid: string) => (await client.read(pid)).body["state"];

/** Kills the worker that has the process, and has it come back under its name. */
async function killWorkerOf(pid: string): Promise<void> {
  const worker = await until(async () => {
    const { owner } = (await client.read(pid)).body;
    return cluster.workers.find(({ name, isAlive }) => isAlive && String(owner).startsWith(`worker@${name}#`));
  }, SOON);
  await worker.kill();
  await worker.start();
}

test("transfer: no cent is lost or doubled while workers die", async () => {
  const accounts = ["ann", "ben", "cleo", "dan"];
  for (const name of accounts) await client.cast(`account/${name}`, { deposit: { amount: 1_000 } });
  const orders = Array.from({ length: 60 }, (_, index) => ({
    from: accounts[index % 4] as string,
    to: accounts[(index + 1 + (index % 3)) % 4] as string,
    amount: 1 + ((index * 97) % 400),
  }));
  const place = async (index: number) => {
    const { status, body } = await client.start("transfer", `t-${index}`, { args: orders[index] });
    assert.equal(status, 201, JSON.stringify(body));
    return await ask(`transfer/t-${index}`, "outcome");
  };
  const answered: Promise<unknown>[] = [];
  for (const name of ["ann", "ben"]) {
    for (let count = 0; count < orders.length / 2; count++) answered.push(place(answered.length));
    await killWorkerOf(`account/${name}`);
  }
  const outcomes = await Promise.all(answered);
  const expected = new Map(accounts.map((name) => [name, 1_000]));
  for (const [index, { from, to, amount }] of orders.entries()) {
    if (outcomes[index] !== "done") continue;
    expected.set(from, (expected.get(from) ?? 0) - amount);
    expected.set(to, (expected.get(to) ?? 0) + amount);
  }
  const balances = () => Promise.all(accounts.map((name) => ask(`account/${name}`, "balance")));
  // The last deposits may still be on their way when their transfers are done.
  await until(async () => assert.deepEqual(await balances(), [...expected.values()]) === undefined, SOON);
  assert.ok(outcomes.filter((outcome) => outcome === "done").length > 10);
});

test("frontier: keeps its pace for each host, and hands out each url once, while workers die", async () => {
  await client.start("notebook", "fetcher");
  await client.start("frontier", "f", { args: { fetcher: "notebook/fetcher", perSecond: 5 } });
  const urls = [1, 2, 3, 4, 5].map((page) => `https://a.example/${page}`);
  const addedAt = Date.now();
  assert.equal((await client.cast("frontier/f", { add: [...urls, "https://b.example/"] })).status, 202);
  const readNotes = async () => ((await stateOf("notebook/fetcher")) as { notes: Note[] }).notes;
  await until(async () => (await readNotes()).length >= 2, SOON);
  await killWorkerOf("frontier/f");
  const notes = await until(async () => {
    const all = await readNotes();
    return all.length >= 6 && all;
  }, SOON);
  const pages = notes.filter(({ text }) => text.fetch.includes("a.example"));
  assert.deepEqual(
    pages.map(({ text }) => text.fetch),
    urls,
  );
  // Its fetcher may have stood still when the first one came.
  const ms = Number(pages.at(-1)?.at) - addedAt;
  assert.ok(ms >= 700, `four pauses of 200 ms took ${ms} ms`);
  assert.deepEqual(await ask("frontier/f", "size"), { seen: 6, waiting: 0 });
  const refused = await client.cast("frontier/f", { add: ["nonsense"] });
  assert.deepEqual([refused.status, refused.body["code"]], [422, "invalid_message"]);
});

interface Note {
  text: { fetch: string };
  at: number;
}

test("game-room: ticks, also after its worker has died, and sleeps when it is empty", async () => {
  const tick = async () => ((await stateOf("game-room/lobby")) as { tick: number }).tick;
  assert.deepEqual(await ask("game-room/lobby", { enter: "ann" }), { group: "game-room.lobby", players: ["ann"] });
  await client.cast("game-room/lobby", { steer: { player: "ann", dx: 1 } });
  await until(async () => (await tick()) >= 3, SOON);
  await killWorkerOf("game-room/lobby");
  const before = await tick();
  await until(async () => (await tick()) >= before + 3, SOON);
  // A tick that waits for its turn when the last one leaves keeps the room awake.
  const players = await until(async () => {
    const { body } = await client.read("game-room/lobby");
    if (body["owner"] === null) return (body["state"] as { players: object }).players;
    await client.cast("game-room/lobby", { leave: "ann" });
    return undefined;
  }, SOON);
  assert.deepEqual(players, {});
});

test("pool: hands work round, and has a worker again for one that was killed", async () => {
  assert.equal((await client.start("pool", "p", { args: { size: 2 } })).status, 201);
  assert.deepEqual(
    await Promise.all([10, 100, 1_000].map((primesBelow) => ask("pool/p", { work: { primesBelow } }))),
    [4, 25, 168],
  );
  const { status } = await client.request("POST", "/v1/processes/pool-worker/p.0/kill", {});
  assert.equal(status, 200);
  await until(async () => (await client.read("pool-worker/p.0")).body["status"] === "idle", SOON);
  assert.deepEqual(
    await Promise.all([10, 100].map((primesBelow) => ask("pool/p", { work: { primesBelow } }))),
    [4, 25],
  );
  await client.stop("pool/p");
  assert.equal((await client.read("supervisor/pool.p")).status, 404);
});
