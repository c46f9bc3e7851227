import assert from "node:assert/strict";
import { begin, type Case, deferredBy, letPass, notesOf, order, orderInTurn, untilNotes } from "../driver.ts";

/** Timers. What must not fire is looked for when another timer, due later, has. */
export const timers: Case[] = [
  {
    name: "fires timers in the order in which they are due",
    run: async (driver) => {
      const pid = await begin(driver);
      await order(
        driver,
        pid,
        { do: "sendAfter", ms: 90, message: "third" },
        { do: "sendAfter", ms: 0, message: "first" },
        { do: "sendAfter", ms: 45, message: "second" },
      );
      await untilNotes(driver, pid, [
        ["info", "first"],
        ["info", "second"],
        ["info", "third"],
      ]);
    },
  },
  {
    name: "cancels a timer, and replaces one of the same name",
    run: async (driver) => {
      const pid = await begin(driver);
      await order(driver, pid, { do: "sendAfter", ms: 3_600_000, message: "far off", name: "a" });
      assert.equal(await order(driver, pid, { do: "cancel", name: "a" }), true);
      assert.equal(await order(driver, pid, { do: "cancel", name: "a" }), false);
      await orderInTurn(
        driver,
        pid,
        [
          { do: "sendAfter", ms: 200, message: "cancelled", name: "a" },
          { do: "sendAfter", ms: 200, message: "replaced", name: "b" },
        ],
        [
          { do: "cancel", name: "a" },
          { do: "sendAfter", ms: 250, message: "new", name: "b" },
        ],
      );
      await untilNotes(driver, pid, [["info", "new"]]);
    },
  },
  {
    name: "does not deliver what was cancelled when it was due and still waited for its turn",
    run: async (driver) => {
      const [pid, gate] = [await begin(driver), await begin(driver)];
      await driver.pause(pid);
      await driver.cast(pid, { run: [{ do: "sendAfter", ms: 0, message: "cancelled", name: "a" }] });
      const waits = { do: "call", pid: gate, message: { run: [{ do: "defer" }] } };
      await driver.cast(pid, { run: [waits, { do: "cancel", name: "a" }, { do: "note", note: "waited" }] });
      await driver.resume(pid);
      await driver.until(async () => assert.equal((await deferredBy(driver, gate)).length, 1));
      await order(driver, gate, { do: "answer", value: null });
      await order(driver, pid, { do: "sendAfter", ms: 20, message: "last" });
      await untilNotes(driver, pid, ["waited", ["info", "last"]]);
    },
  },
  {
    name: "a timer that has fired is gone",
    run: async (driver) => {
      const pid = await begin(driver);
      const message = {
        run: [
          { do: "cancel", name: "a" },
          { do: "note", note: "fired" },
        ],
      };
      await order(driver, pid, { do: "sendAfter", ms: 0, message, name: "a" });
      await untilNotes(driver, pid, ["fired"]);
      assert.equal(await order(driver, pid, { do: "cancel", name: "a" }), false);
    },
  },
  {
    name: "ticks until it is cancelled, by a tick itself too",
    run: async (driver) => {
      const pid = await begin(driver);
      await order(driver, pid, { do: "sendEvery", ms: 15, message: "tick", name: "t" });
      await driver.until(async () => assert.ok((await notesOf(driver, pid)).length >= 3));
      const stop = {
        run: [
          { do: "cancel", name: "t" },
          { do: "note", note: "stopped" },
        ],
      };
      await order(driver, pid, { do: "sendAfter", ms: 0, message: stop });
      await driver.until(async () => assert.equal((await notesOf(driver, pid)).at(-1), "stopped"));
      await letPass(driver, 40);
      assert.equal((await notesOf(driver, pid)).at(-1), "stopped");
    },
  },
  {
    name: "goes on ticking after a tick that failed",
    run: async (driver) => {
      const pid = await begin(driver);
      await order(driver, pid, { do: "sendEvery", ms: 15, message: { run: [{ do: "throw" }] } });
      await driver.until(async () => assert.ok((await driver.deadLetters(pid)).length >= 2));
    },
  },
  {
    name: "makes missed ticks up as the timer says: all, one, or none of them",
    run: async (driver) => {
      const pid = await begin(driver);
      await order(
        driver,
        pid,
        { do: "sendEvery", ms: 200, message: "skip", missed: "skip", name: "s" },
        { do: "sendEvery", ms: 200, message: "once", missed: "once", name: "o" },
        { do: "sendEvery", ms: 200, message: "all", missed: "all", name: "a" },
      );
      await driver.pause(pid);
      await letPass(driver, 1_100);
      const cancels = ["s", "o", "a"].map((name) => ({ do: "cancel" as const, name }));
      await driver.resume(pid);
      // Five or more were missed. A turn that is late by less than a tick changes nothing.
      await driver.until(async () => {
        const notes = ((await notesOf(driver, pid)) as unknown[][]).map(([, noted]) => noted);
        const [skip = 0, once = 0, all = 0] = ["skip", "once", "all"].map(
          (message) => notes.filter((noted) => noted === message).length,
        );
        assert.ok(all >= once + 3, `${all} of all, ${once} of once`);
        assert.ok(once > skip, `${once} of once, ${skip} of skip`);
      });
      await order(driver, pid, ...cancels);
    },
  },
  {
    name: "fires at the times of a cron expression",
    run: async (driver) => {
      const pid = await begin(driver);
      await order(driver, pid, { do: "cron", expression: "* * * * * *", message: "second", timezone: "Europe/Berlin" });
      await driver.until(async () => assert.deepEqual((await notesOf(driver, pid))[0], ["info", "second"]));
      const expression = "not cron";
      await assert.rejects(order(driver, pid, { do: "cron", expression, message: 1 }), /"not cron" is not valid/);
    },
  },
  {
    name: "says at its place what is wrong with a timer",
    run: async (driver) => {
      const pid = await begin(driver);
      await assert.rejects(order(driver, pid, { do: "sendAfter", ms: -1, message: 1 }), /whole number from 0 .*not -1/);
      await assert.rejects(order(driver, pid, { do: "sendAfter", ms: 1e12, message: 1 }), /not 1000000000000/);
    },
  },
];
