import assert from "node:assert/strict";
import { test } from "node:test";
import { createKit } from "genserverless/testing";
import work from "./work.ts";

const PID = "work/ACBD18DB4CC2F85CEDEF654FCCC4A4D8";
const FOO = { begin: { data: "foo" } };
const SECOND = 1_000;

async function begin() {
  const kit = createKit({ modules: [work] });
  await kit.cast(PID, FOO);
  const status = () => (kit.state(PID) as { status: string } | undefined)?.status;
  const shownForMs = () => {
    const { shownUntil } = kit.state(PID) as { shownUntil?: number };
    return shownUntil === undefined ? undefined : shownUntil - kit.now();
  };
  return { kit, status, shownForMs };
}

test("works for 3 s, is shown for 10 s and kept for an hour more", async () => {
  const { kit, status, shownForMs } = await begin();
  assert.equal(status(), "working");
  await kit.advance(3 * SECOND - 1);
  assert.equal(status(), "working");
  await kit.advance(1);
  assert.equal(status(), "worked");
  assert.equal(shownForMs(), 10 * SECOND);
  await kit.advance(10 * SECOND - 1);
  assert.equal(shownForMs(), 1);
  await kit.advance(1);
  assert.equal(shownForMs(), undefined);
  await kit.advance(3_600 * SECOND - 1);
  assert.equal(status(), "worked");
  await kit.advance(1);
  assert.equal(status(), undefined);
});

test("takes the same data again while it works, and resets nothing", async () => {
  const { kit, status } = await begin();
  await kit.advance(2 * SECOND);
  assert.equal(await kit.call(PID, FOO), "accepted");
  await kit.advance(1 * SECOND);
  assert.equal(status(), "worked");
});

test("shows worked work for another 10 s to whoever asks within 10 s, and works anew after that", async () => {
  const { kit, status, shownForMs } = await begin();
  await kit.advance(3 * SECOND + 9_999);
  await kit.call(PID, FOO);
  assert.deepEqual([status(), shownForMs()], ["worked", 10 * SECOND]);
  await kit.advance(10 * SECOND);
  await kit.call(PID, FOO);
  assert.equal(status(), "working");
  await kit.advance(3 * SECOND);
  assert.deepEqual([status(), shownForMs()], ["worked", 10 * SECOND]);
});

test("loses no time and no work wherever its worker dies", async () => {
  const { kit, status } = await begin();
  await kit.advance(2 * SECOND);
  await kit.crash();
  await kit.advance(1 * SECOND - 1);
  assert.equal(status(), "working");
  kit.crashDuringNextTurn(PID);
  await kit.advance(1);
  assert.equal(status(), "worked");
  assert.deepEqual(
    kit.timers(PID).map(({ name }) => name),
    ["hide", "forget"],
  );
});

test("is begun again where its turn has been set aside", async () => {
  const { kit, status } = await begin();
  kit.crashDuringNextTurn(PID, 3);
  await kit.advance(3 * SECOND);
  assert.deepEqual([status(), kit.deadLetters(PID).length], ["working", 1]);
  await kit.advance(60 * SECOND);
  assert.equal(status(), "worked");
});
