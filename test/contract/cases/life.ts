import assert from "node:assert/strict";
import {
  assertFails,
  begin,
  type Case,
  fresh,
  notesOf,
  order,
  orderInTurn,
  startAs,
  untilArrived,
  untilNotes,
  untilStatus,
} from "../driver.ts";

/** Beginnings, ends, and what lies between. */
export const life: Case[] = [
  {
    name: "starts a process once",
    run: async (driver) => {
      const pid = await begin(driver);
      await assertFails(startAs(driver, pid), "already_started");
      assert.equal(await driver.status(pid), "idle");
    },
  },
  {
    name: "makes no process where init stops, ignores or throws",
    run: async (driver) => {
      for (const [init, code] of [
        ["stop", "init_stopped"],
        ["ignore", "init_ignored"],
        ["throw", "init_failed"],
      ]) {
        const pid = fresh();
        await assertFails(startAs(driver, pid, { init }), code ?? "");
        assert.equal(await driver.status(pid), undefined);
      }
    },
  },
  {
    name: "continues after init before any other message",
    run: async (driver) => {
      const pid = fresh();
      const run = [{ do: "cast", pid, message: "own mail" }];
      await startAs(driver, pid, { run, next: { continue: "first" } });
      await untilNotes(driver, pid, [
        ["continue", "first"],
        ["cast", "own mail"],
      ]);
    },
  },
  {
    name: "continues after a call, and after a continuation",
    run: async (driver) => {
      const pid = await begin(driver);
      const again = {
        run: [
          { do: "note" as const, note: 1 },
          { do: "next" as const, next: { continue: 2 } },
        ],
      };
      await order(driver, pid, { do: "next", next: { continue: again } });
      await untilNotes(driver, pid, [1, ["continue", 2]]);
    },
  },
  {
    name: "sends itself the info timeout, unless another message comes first",
    run: async (driver) => {
      const pid = await begin(driver);
      await order(driver, pid, { do: "next", next: { timeout: 20 } });
      await untilNotes(driver, pid, [["info", "timeout"]]);
      await orderInTurn(
        driver,
        pid,
        [
          { do: "sendAfter", ms: 400, message: "later" },
          { do: "next", next: { timeout: 300 } },
        ],
        [{ do: "note", note: "sooner" }],
      );
      await untilNotes(driver, pid, [["info", "timeout"], "sooner", ["info", "later"]]);
    },
  },
  {
    name: "goes on after it hibernated, its state as it was stored",
    run: async (driver) => {
      const pid = fresh("mapper");
      await startAs(driver, pid);
      await driver.cast(pid, ["a", 1]);
      assert.deepEqual(await driver.call(pid, "a"), [true, 1]);
      await driver.cast(pid, ["a", 2]);
      assert.deepEqual(await driver.call(pid, "a"), [true, 2]);
      assert.deepEqual(await driver.state(pid), [["a", 2]]);
    },
  },
  {
    name: "stops in order with other mail, after terminate, whose effects leave",
    run: async (driver) => {
      const [pid, witness] = [await begin(driver), await begin(driver)];
      await order(driver, pid, { do: "at-the-end", run: [{ do: "cast", pid: witness, message: "over" }] });
      await driver.cast(pid, { run: [{ do: "cast", pid: witness, message: "before" }] });
      await driver.stop(pid);
      await untilNotes(driver, witness, [
        ["cast", "before"],
        ["cast", "over"],
      ]);
      assert.equal(await driver.status(pid), undefined);
    },
  },
  {
    name: "runs terminate when a callback stops it, and answers with the reply",
    run: async (driver) => {
      const [pid, witness] = [await begin(driver), await begin(driver)];
      await order(driver, pid, { do: "at-the-end", run: [{ do: "cast", pid: witness, message: "over" }] });
      assert.equal(await order(driver, pid, { do: "end", reason: "normal", reply: "bye" }), "bye");
      await untilNotes(driver, witness, [["cast", "over"]]);
    },
  },
  {
    name: "wipes the state after normal, shutdown and shutdown:…, and keeps it after any other reason",
    run: async (driver) => {
      for (const reason of ["normal", "shutdown", "shutdown:tired"]) {
        const pid = await begin(driver);
        await driver.stop(pid, reason);
        assert.equal(await driver.status(pid), undefined);
      }
      const pid = await begin(driver);
      await order(driver, pid, { do: "note", note: "kept" });
      await driver.stop(pid, "crashed");
      assert.equal(await driver.status(pid), "stopped");
      await assertFails(driver.call(pid, 1), "no_process");
      await startAs(driver, pid, { run: [{ do: "note", note: "init ran" }] });
      assert.deepEqual(await order(driver, pid, { do: "notes" }), ["kept"]);
    },
  },
  {
    name: "keeps the state always, or never, where the module says so",
    run: async (driver) => {
      const [keeper, forgetter] = [await begin(driver, "keeper"), await begin(driver, "forgetter")];
      await order(driver, keeper, { do: "note", note: "kept" });
      await driver.stop(keeper, "normal");
      assert.equal(await driver.status(keeper), "stopped");
      await startAs(driver, keeper);
      assert.deepEqual(await order(driver, keeper, { do: "notes" }), ["kept"]);
      await driver.stop(forgetter, "crashed");
      assert.equal(await driver.status(forgetter), undefined);
    },
  },
  {
    name: "drops the mail of a life that has ended",
    run: async (driver) => {
      const pid = await begin(driver);
      await driver.pause(pid);
      await driver.cast(pid, { run: [{ do: "end", reason: "crashed" }] });
      await driver.cast(pid, "dropped", { delayMs: 20 });
      const called = assertFails(driver.call(pid, "dropped"), "no_process");
      await driver.resume(pid);
      await called;
      await startAs(driver, pid);
      await order(driver, pid, { do: "sendAfter", ms: 60, message: "new life" });
      await untilNotes(driver, pid, [["info", "new life"]]);
    },
  },
  {
    name: "ends at once when it is killed, without terminate, past its mail, its state kept",
    run: async (driver) => {
      const [pid, witness] = [await begin(driver), await begin(driver)];
      await order(driver, witness, { do: "monitor", pid });
      await untilArrived(driver, witness, pid);
      const last = [{ do: "cast" as const, pid: witness, message: "terminate ran" }];
      await order(driver, pid, { do: "at-the-end", run: last }, { do: "note", note: "kept" });
      await driver.pause(pid);
      await driver.cast(pid, "never handled");
      await driver.kill(pid);
      await untilStatus(driver, pid, "stopped");
      await driver.until(async () => {
        const [note] = (await notesOf(driver, witness)) as [string, { type: string; reason: string }][];
        assert.deepEqual([note?.[1].type, note?.[1].reason], ["DOWN", "killed"]);
      });
      await startAs(driver, pid);
      assert.equal((await notesOf(driver, pid)).at(-1), "kept");
    },
  },
  {
    name: "handles no mail while it is paused, and all of it in order afterwards",
    run: async (driver) => {
      const pid = await begin(driver);
      await driver.pause(pid);
      assert.equal(await driver.status(pid), "paused");
      await driver.cast(pid, 1);
      await driver.cast(pid, 2);
      await assertFails(driver.call(pid, "too late", { timeoutMs: 50 }), "call_timeout");
      assert.deepEqual(await notesOf(driver, pid), []);
      await driver.resume(pid);
      await untilNotes(driver, pid, [
        ["cast", 1],
        ["cast", 2],
        ["call", "too late"],
      ]);
    },
  },
  {
    name: "replaces its tags",
    run: async (driver) => {
      const pid = fresh();
      await driver.start("actor", { key: pid.split("/")[1] ?? "", tags: ["new"] });
      assert.deepEqual(await driver.tags(pid), ["new"]);
      await order(driver, pid, { do: "tags", tags: ["a", "b"] });
      assert.deepEqual([...(await driver.tags(pid))].sort(), ["a", "b"]);
    },
  },
];
