import assert from "node:assert/strict";
import { test } from "node:test";
import { createKit } from "genserverless/testing";
import account from "./account.ts";
import transfer from "./transfer.ts";

const ORDER = { from: "alice", to: "bob", amount: 30 };

async function open(cents = 100) {
  const kit = createKit({ modules: [account, transfer] });
  await kit.cast("account/alice", { deposit: { amount: cents } });
  const balances = async () => [await kit.call("account/alice", "balance"), await kit.call("account/bob", "balance")];
  return { kit, balances };
}

test("moves the amount, and says so", async () => {
  const { kit, balances } = await open();
  const pid = await kit.start("transfer", { key: "t1", args: ORDER });
  assert.equal(await kit.call(pid, "outcome"), "done");
  assert.deepEqual(await balances(), [70, 30]);
});

test("moves nothing that is not covered", async () => {
  const { kit, balances } = await open(29);
  assert.equal(await kit.call(await kit.start("transfer", { args: ORDER }), "outcome"), "refused");
  assert.deepEqual(await balances(), [29, 0]);
});

test("is made once, however often it is ordered", async () => {
  const { kit, balances } = await open();
  await kit.start("transfer", { key: "t1", args: ORDER });
  await kit.start("transfer", { key: "t1", args: ORDER, ifExists: "return" });
  await assert.rejects(kit.start("transfer", { key: "t1", args: ORDER }), { code: "already_started" });
  assert.deepEqual(await balances(), [70, 30]);
});

test("answers whoever asks before it is known", async () => {
  const { kit } = await open();
  kit.hold();
  const pid = await kit.start("transfer", { args: ORDER });
  const asked = [kit.request(pid, "outcome"), kit.request(pid, "outcome")];
  await kit.settle();
  assert.deepEqual(
    asked.map(({ isAnswered }) => isAnswered),
    [false, false],
  );
  await kit.release();
  assert.deepEqual(await Promise.all(asked.map((request) => request.reply())), ["done", "done"]);
});

test("loses and doubles nothing wherever a worker dies", async () => {
  for (const victim of ["account/alice", "transfer/t1", "account/bob"]) {
    for (const isInTurn of [true, false]) {
      const { kit, balances } = await open();
      await balances();
      kit.hold();
      await kit.start("transfer", { key: "t1", args: ORDER });
      if (isInTurn) kit.crashDuringNextTurn(victim);
      else await kit.crash();
      await kit.release();
      assert.equal(await kit.call("transfer/t1", "outcome"), "done");
      assert.deepEqual(await balances(), [70, 30], `${victim}, ${isInTurn ? "in its turn" : "between turns"}`);
    }
  }
});

test("refuses an order that is none", async () => {
  const { kit } = await open();
  for (const args of [null, { ...ORDER, amount: 0.5 }, { ...ORDER, amount: -1 }, { ...ORDER, tip: 1 }]) {
    await assert.rejects(kit.start("transfer", { args }), { code: "init_failed" });
  }
});
