import assert from "node:assert/strict";
import { assertFails, begin, type Case, fresh, notesOf, order, startAs, untilNotes, untilStatus } from "../driver.ts";

const throws = { run: [{ do: "throw" }] };

/** What fails, and what becomes of it; and what a write policy can lose. */
export const failures: Case[] = [
  {
    name: "keeps the state of before a call that failed, and answers why",
    run: async (driver) => {
      const pid = await begin(driver);
      await order(driver, pid, { do: "note", note: "before" });
      await assert.rejects(driver.call(pid, throws), /callback_failed: .*threw RangeError: as asked/);
      assert.deepEqual(await notesOf(driver, pid), ["before"]);
    },
  },
  {
    name: "makes a dead letter of a cast and of an info that failed, and goes on",
    run: async (driver) => {
      const pid = await begin(driver);
      await driver.cast(pid, throws);
      await driver.info(pid, throws);
      await driver.cast(pid, "after");
      await untilNotes(driver, pid, [["cast", "after"]]);
      const [info, cast] = await driver.deadLetters(pid);
      assert.deepEqual([info?.kind, cast?.kind, cast?.message], ["info", "cast", throws]);
      assert.match(cast?.reason ?? "", /threw RangeError: as asked/);
    },
  },
  {
    name: "ends a turn that takes too long",
    run: async (driver) => {
      const pid = await begin(driver, "hasty");
      await assertFails(driver.call(pid, { run: [{ do: "hang" }] }), "callback_timeout");
      assert.deepEqual(await order(driver, pid, { do: "notes" }), []);
    },
  },
  {
    name: "tries a failed cast again at the head of the mailbox, which waits",
    run: async (driver) => {
      const pid = await begin(driver, "retrier");
      await driver.cast(pid, {
        run: [
          { do: "insist", attempt: 3 },
          { do: "note", note: "third" },
        ],
      });
      await driver.cast(pid, "after");
      await untilNotes(driver, pid, ["third", ["cast", "after"]]);
      assert.deepEqual(await driver.deadLetters(pid), []);
      await driver.cast(pid, { run: [{ do: "insist", attempt: 4 }] });
      await driver.cast(pid, "last");
      await untilNotes(driver, pid, ["third", ["cast", "after"], ["cast", "last"]]);
      assert.equal((await driver.deadLetters(pid)).length, 1);
    },
  },
  {
    name: "does not try a call again",
    run: async (driver) => {
      const pid = await begin(driver, "retrier");
      assert.equal(await order(driver, pid, { do: "attempt" }), 1);
      await assertFails(order(driver, pid, { do: "insist", attempt: 2 }), "callback_failed");
    },
  },
  {
    name: "tries a tick again, and arms the next one once",
    run: async (driver) => {
      const pid = await begin(driver, "retrier");
      const run = [
        { do: "insist", attempt: 2 },
        { do: "note", note: "tick" },
      ];
      await order(driver, pid, { do: "sendEvery", ms: 60, message: { run }, name: "t" });
      await driver.until(async () => assert.ok((await notesOf(driver, pid)).length >= 2));
      assert.deepEqual(await driver.deadLetters(pid), []);
    },
  },
  {
    name: "quarantines a process that crashes too often: its mail is kept until a person lets it go on",
    run: async (driver) => {
      const pid = await begin(driver, "fragile");
      for (let crash = 0; crash < 3; crash += 1) await driver.cast(pid, throws);
      await untilStatus(driver, pid, "quarantined");
      await driver.cast(pid, "kept");
      assert.deepEqual(await notesOf(driver, pid), []);
      await driver.unquarantine(pid);
      await untilNotes(driver, pid, [["cast", "kept"]]);
    },
  },
  {
    name: "ignores an info that its module does not take",
    run: async (driver) => {
      const pid = fresh("mapper");
      await startAs(driver, pid);
      await driver.info(pid, "what?");
      assert.deepEqual(await driver.call(pid, "x"), [true, null]);
      assert.deepEqual(await driver.deadLetters(pid), []);
    },
  },
];
