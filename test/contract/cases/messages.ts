import assert from "node:assert/strict";
import {
  assertFails,
  begin,
  type Case,
  deferredBy,
  fresh,
  letPass,
  notesOf,
  order,
  startAs,
  untilNotes,
  untilStatus,
} from "../driver.ts";

/** Mail from outside, and between processes. */
export const messages: Case[] = [
  {
    name: "handles calls, casts and infos in the order in which they were accepted",
    run: async (driver) => {
      const pid = await begin(driver);
      await driver.cast(pid, 1);
      await driver.info(pid, 2);
      await driver.call(pid, 3);
      await driver.cast(pid, 4);
      assert.deepEqual(await order(driver, pid, { do: "notes" }), [
        ["cast", 1],
        ["info", 2],
        ["call", 3],
        ["cast", 4],
      ]);
    },
  },
  {
    name: "refuses calls, casts and stops of what is not there",
    run: async (driver) => {
      const pid = fresh();
      await assertFails(driver.call(pid, 1), "no_process");
      await assertFails(driver.cast(pid, 1), "no_process");
      await assertFails(driver.info(pid, 1), "no_process");
      await assertFails(driver.stop(pid), "no_process");
      await assertFails(driver.start("nobody", { key: "x" }), "unknown_module");
    },
  },
  {
    name: "hands a delayed cast over when it is due, and other mail before it",
    run: async (driver) => {
      const [pid, other] = [await begin(driver), await begin(driver)];
      await driver.pause(pid);
      await driver.cast(pid, "late", { delayMs: 250 });
      await order(driver, other, { do: "cast", pid, message: "later", delayMs: 300 });
      await driver.cast(pid, "at once");
      await driver.resume(pid);
      await untilNotes(driver, pid, [
        ["cast", "at once"],
        ["cast", "late"],
        ["cast", "later"],
      ]);
    },
  },
  {
    name: "sends casts, infos and stops of a turn in order, once it is committed",
    run: async (driver) => {
      const [one, other] = [await begin(driver), await begin(driver)];
      await order(
        driver,
        one,
        { do: "cast", pid: other, message: 1 },
        { do: "info", pid: other, message: 2 },
        { do: "cast", pid: other, message: 3 },
      );
      await untilNotes(driver, other, [
        ["cast", 1],
        ["info", 2],
        ["cast", 3],
      ]);
      await order(driver, one, { do: "cast", pid: other, message: 4 }, { do: "stop", pid: other, reason: "crashed" });
      await untilStatus(driver, other, "stopped");
      assert.deepEqual((await notesOf(driver, other)).at(-1), ["cast", 4]);
    },
  },
  {
    name: "sends nothing of a turn that failed, and keeps the state before it",
    run: async (driver) => {
      const [one, other] = [await begin(driver), await begin(driver)];
      const run = [
        { do: "cast", pid: other, message: "never" },
        { do: "sendAfter", ms: 0, message: "never" },
        { do: "monitor", pid: fresh() },
        { do: "throw" },
      ];
      await assertFails(driver.call(one, { run }), "callback_failed");
      await order(driver, one, { do: "cast", pid: other, message: "after" });
      await untilNotes(driver, other, [["cast", "after"]]);
      await letPass(driver, 20);
      assert.deepEqual(await notesOf(driver, one), []);
    },
  },
  {
    name: "sends to itself, after the turn",
    run: async (driver) => {
      const pid = await begin(driver);
      await order(driver, pid, { do: "cast", pid, message: "self" }, { do: "note", note: "turn" });
      await untilNotes(driver, pid, ["turn", ["cast", "self"]]);
    },
  },
  {
    name: "drops what is sent to nobody, and goes on",
    run: async (driver) => {
      const [one, other] = [await begin(driver), await begin(driver)];
      const nobody = fresh();
      await order(
        driver,
        one,
        { do: "cast", pid: nobody, message: 1 },
        { do: "cast", pid: other, message: 2 },
        { do: "stop", pid: nobody, reason: "normal" },
      );
      await untilNotes(driver, other, [["cast", 2]]);
      assert.equal(await driver.status(nobody), undefined);
    },
  },
  {
    name: "starts a process from another's turn, and leaves one alone that is there",
    run: async (driver) => {
      const one = await begin(driver);
      const other = fresh();
      const key = other.split("/")[1] ?? "";
      const start = { do: "start", module: "actor", key, args: { run: [{ do: "note", note: "born" }] } } as const;
      assert.equal(await order(driver, one, start), other);
      await untilNotes(driver, other, ["born"]);
      await order(driver, one, start, { do: "cast", pid: other, message: 1 });
      await untilNotes(driver, other, ["born", ["cast", 1]]);
      const generated = String(await order(driver, one, { do: "startAndWait", module: "actor" }));
      assert.equal(await driver.status(generated), "idle");
    },
  },
  {
    name: "answers a call later, and of several answers the first counts",
    run: async (driver) => {
      const pid = await begin(driver);
      const late = driver.call(pid, { run: [{ do: "note", note: "asked" }, { do: "defer" }] });
      await untilNotes(driver, pid, ["asked"]);
      await order(driver, pid, { do: "answer", value: 1 });
      await order(driver, pid, { do: "answer", value: 2 });
      assert.equal(await late, 1);
    },
  },
  {
    name: "lets another process answer a call",
    run: async (driver) => {
      const [pid, other] = [await begin(driver), await begin(driver)];
      const late = driver.call(pid, { run: [{ do: "defer" }] });
      await driver.until(async () => assert.equal((await deferredBy(driver, pid)).length, 1));
      const [from] = await deferredBy(driver, pid);
      await order(driver, other, { do: "answer", value: "from other", ...(from && { from }) });
      assert.equal(await late, "from other");
    },
  },
  {
    name: "answers no_process where a process ends without an answer",
    run: async (driver) => {
      const pid = await begin(driver);
      const deferred = assertFails(
        driver.call(pid, { run: [{ do: "note", note: "asked" }, { do: "defer" }] }),
        "no_process",
      );
      await untilNotes(driver, pid, ["asked"]);
      await assertFails(order(driver, pid, { do: "end", reason: "crashed" }), "no_process");
      await deferred;
    },
  },
  {
    name: "times a call out whose answer does not come",
    run: async (driver) => {
      const pid = await begin(driver);
      await assertFails(driver.call(pid, { run: [{ do: "defer" }] }, { timeoutMs: 50 }), "call_timeout");
    },
  },
  {
    name: "refuses mail above the mailbox's limit",
    run: async (driver) => {
      const pid = await begin(driver, "narrow");
      await driver.pause(pid);
      await driver.cast(pid, 1);
      await driver.cast(pid, 2);
      await assertFails(driver.cast(pid, 3), "mailbox_full");
      await driver.resume(pid);
      await untilNotes(driver, pid, [
        ["cast", 1],
        ["cast", 2],
      ]);
    },
  },
  {
    name: "starts an on-demand process with its first message, also when another process sends it",
    run: async (driver) => {
      const [one, other] = [fresh("on-demand"), fresh("on-demand")];
      assert.deepEqual(await order(driver, one, { do: "note", note: 1 }, { do: "notes" }), [1]);
      await order(driver, one, { do: "cast", pid: other, message: 2 });
      await untilNotes(driver, other, [["cast", 2]]);
      await driver.stop(other);
      assert.deepEqual(await order(driver, other, { do: "notes" }), []);
      await assertFails(startAs(driver, other), "already_started");
    },
  },
  {
    name: "refuses what a module's named handlers do not take, from outside and from another process",
    run: async (driver) => {
      const [pid, other] = [await begin(driver, "strict"), await begin(driver)];
      await driver.cast(pid, { add: 2 });
      await assertFails(driver.cast(pid, { add: "2" }), "invalid_message");
      await assertFails(driver.call(pid, "subtract"), "invalid_message");
      await order(driver, other, { do: "cast", pid, message: { add: "3" } }, { do: "cast", pid, message: { add: 4 } });
      await driver.until(async () => assert.equal(await driver.state(pid), 6));
      assert.equal(await driver.call(pid, "total"), 6);
      const [letter] = await driver.deadLetters(pid);
      assert.match(letter?.reason ?? "", /strict\.casts\.add: is no number/);
      const code = (await order(driver, other, { do: "call", pid, message: "subtract" })) as { code: string };
      assert.equal(code.code, "invalid_message");
    },
  },
];
