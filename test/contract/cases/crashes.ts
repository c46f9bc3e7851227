import assert from "node:assert/strict";
import { begin, type Case, fresh, notesOf, order, startAs, untilArrived, untilNotes } from "../driver.ts";

/** The death of a worker, and a change of code. */
export const crashes: Case[] = [
  {
    name: "goes on after a crash from what was committed: state, timers, monitors, groups",
    run: async (driver) => {
      const [pid, other] = [await begin(driver), await begin(driver)];
      const group = pid.replace("/", "-");
      const ref = await order(
        driver,
        pid,
        { do: "note", note: "before" },
        { do: "sendAfter", ms: 30, message: "timer" },
        { do: "join", group },
        { do: "monitor", pid: other },
      );
      await driver.crash(pid);
      await untilNotes(driver, pid, ["before", ["info", "timer"]]);
      await untilArrived(driver, pid, other);
      await driver.until(async () => assert.deepEqual(await order(driver, other, { do: "members", group }), [pid]));
      await order(driver, other, { do: "publish", group, message: "group" });
      await untilNotes(driver, pid, ["before", ["info", "timer"], ["info", "group"]]);
      await driver.stop(other);
      const down = ["info", { type: "DOWN", ref, pid: other, reason: "normal" }];
      await untilNotes(driver, pid, ["before", ["info", "timer"], ["info", "group"], down]);
    },
  },
  {
    name: "runs a turn again that a crash has cut off, and its calls have been made once",
    run: async (driver) => {
      const [pid, callee, gate] = [await begin(driver), await begin(driver), await begin(driver)];
      await driver.pause(gate);
      const run = [
        { do: "call", pid: callee, message: "once" },
        { do: "note", note: "called" },
        { do: "call", pid: gate, message: "gate" },
        { do: "cast", pid: callee, message: "after" },
      ];
      await driver.cast(pid, { run });
      await driver.cast(pid, "next");
      await untilNotes(driver, callee, [["call", "once"]]);
      await driver.crash(pid);
      await driver.resume(gate);
      await untilNotes(driver, pid, ["called", ["cast", "next"]]);
      await untilNotes(driver, callee, [
        ["call", "once"],
        ["cast", "after"],
      ]);
      assert.deepEqual(await notesOf(driver, gate), [["call", "gate"]]);
    },
  },
  {
    name: "continues again after a crash, before any other message",
    run: async (driver) => {
      const [pid, gate] = [await begin(driver), await begin(driver)];
      await driver.pause(gate);
      const value = {
        run: [
          { do: "call", pid: gate, message: "gate" },
          { do: "note", note: "continued" },
        ],
      };
      await order(driver, pid, { do: "next", next: { continue: value } });
      await driver.cast(pid, "mail");
      await driver.crash(pid);
      await driver.resume(gate);
      await untilNotes(driver, pid, ["continued", ["cast", "mail"]]);
      assert.deepEqual(await notesOf(driver, gate), [["call", "gate"]]);
    },
  },
  {
    name: "loses in a crash no more than its write policy allows",
    run: async (driver) => {
      const [late, third, always] = [fresh("late-writer"), fresh("third-writer"), fresh()];
      for (const pid of [late, third, always]) {
        await startAs(driver, pid);
        for (const note of [1, 2, 3, 4]) await order(driver, pid, { do: "note", note });
      }
      await driver.crash(late);
      await driver.crash(third);
      await driver.crash(always);
      const [atMost, atLeastThree, all] = await Promise.all(
        [late, third, always].map(async (pid) => (await order(driver, pid, { do: "notes" })) as number[]),
      );
      assert.deepEqual(atMost, [1, 2, 3, 4].slice(0, atMost?.length));
      assert.deepEqual(atLeastThree, [1, 2, 3, 4].slice(0, Math.max(3, atLeastThree?.length ?? 0)));
      assert.deepEqual(all, [1, 2, 3, 4]);
    },
  },
  {
    name: "changes the state with the code and loses no turn, and sets a process aside where codeChange fails",
    run: async (driver) => {
      const [pid, unlucky] = [await begin(driver, "versioned"), await begin(driver, "versioned")];
      await driver.cast(unlucky, -1);
      assert.deepEqual(await driver.call(unlucky, "read"), { version: 1, count: -1 });
      await driver.upgrade();
      let total = 0;
      await driver.until(async () => {
        await driver.cast(pid, 1);
        total += 1;
        assert.deepEqual(await driver.call(pid, "read"), { version: 2, total, from: 1 });
      });
      await driver.until(async () => {
        await driver.call(unlucky, "read", { timeoutMs: 100 }).catch(() => {});
        assert.equal(await driver.status(unlucky), "quarantined");
      });
      assert.deepEqual(await driver.state(unlucky), { count: -1 });
    },
  },
];
