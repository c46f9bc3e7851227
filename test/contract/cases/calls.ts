import assert from "node:assert/strict";
import type { Step } from "../actor.ts";
import { begin, type Case, deferredBy, fresh, notesOf, order, untilNotes } from "../driver.ts";

const code = (answer: unknown) => (answer as { code?: string } | null)?.code;

/** Calls from turn to turn. */
export const calls: Case[] = [
  {
    name: "waits in a turn for another process's reply",
    run: async (driver) => {
      const [one, other] = [await begin(driver), await begin(driver)];
      await order(driver, other, { do: "note", note: 1 });
      const message = { run: [{ do: "note", note: 2 }, { do: "notes" }] };
      assert.deepEqual(await order(driver, one, { do: "call", pid: other, message }), [1, 2]);
    },
  },
  {
    name: "gets the code of a callee's failure, and of one that is not there",
    run: async (driver) => {
      const [one, other] = [await begin(driver), await begin(driver)];
      const fails = { run: [{ do: "throw" }] };
      assert.equal(code(await order(driver, one, { do: "call", pid: other, message: fails })), "callback_failed");
      assert.equal(code(await order(driver, one, { do: "call", pid: fresh(), message: 1 })), "no_process");
      const ends = { run: [{ do: "end", reason: "crashed" }] };
      assert.equal(code(await order(driver, one, { do: "call", pid: other, message: ends })), "no_process");
    },
  },
  {
    name: "times out, and goes on with its turn",
    run: async (driver) => {
      const [one, other] = [await begin(driver), await begin(driver)];
      const message = { run: [{ do: "defer" }] };
      const answer = await order(driver, one, { do: "call", pid: other, message, timeoutMs: 50 });
      assert.equal(code(answer), "call_timeout");
    },
  },
  {
    name: "carries the caller's deadline along",
    run: async (driver) => {
      const [one, other] = [await begin(driver, "hasty"), await begin(driver)];
      const third = await begin(driver);
      const defer = { run: [{ do: "defer" }] };
      const message = {
        run: [
          { do: "call", pid: third, message: defer, timeoutMs: 60_000 },
          { do: "note", note: "goes on" },
        ],
      };
      await order(driver, one, { do: "call", pid: other, message, timeoutMs: 50 });
      await untilNotes(driver, other, ["goes on"]);
    },
  },
  {
    name: "answers call_cycle, naming the chain, where a process calls itself",
    run: async (driver) => {
      const pid = await begin(driver);
      await assertCycle(order(driver, pid, { do: "call", pid, message: 1 }), [pid, pid]);
    },
  },
  {
    name: "answers call_cycle where a chain of calls comes back",
    run: async (driver) => {
      const [one, other, third] = [await begin(driver), await begin(driver), await begin(driver)];
      const back = { run: [{ do: "call", pid: one, message: 1 }] };
      const on = { run: [{ do: "call", pid: third, message: back }] };
      await assertCycle(order(driver, one, { do: "call", pid: other, message: on }), [one, other, third]);
    },
  },
  {
    name: "answers call_cycle to at least one of two that call each other at once, and hangs neither",
    run: async (driver) => {
      const [one, other, gate] = [await begin(driver), await begin(driver), await begin(driver)];
      const wait: Step = { do: "call", pid: gate, message: { run: [{ do: "defer" }] } };
      const first = order(driver, one, wait, { do: "call", pid: other, message: "from one" });
      const second = order(driver, other, wait, { do: "call", pid: one, message: "from other" });
      await driver.until(async () => {
        assert.equal((await deferredBy(driver, gate)).length, 2);
      });
      await order(driver, gate, { do: "answer", value: null });
      const codes = (await Promise.all([first, second])).map(code);
      assert.ok(codes.includes("call_cycle"), `got ${codes}`);
      const notes = [...(await notesOf(driver, one)), ...(await notesOf(driver, other))];
      assert.equal(notes.length, codes.filter((each) => each === undefined).length, `got ${codes}`);
    },
  },
  {
    name: "waits for a start and a stop; one that is there has started, one that is not there has stopped",
    run: async (driver) => {
      const one = await begin(driver);
      const other = fresh();
      const key = other.split("/")[1] ?? "";
      for (let round = 0; round < 2; round += 1) {
        assert.equal(await order(driver, one, { do: "startAndWait", module: "actor", key }), other);
        assert.equal(await driver.status(other), "idle");
      }
      for (let round = 0; round < 2; round += 1) {
        assert.equal(await order(driver, one, { do: "stopAndWait", pid: other, reason: "normal" }), null);
        assert.equal(await driver.status(other), undefined);
      }
      const refuses: Step = { do: "startAndWait", module: "actor", key, args: { init: "throw" } };
      assert.equal(code(await order(driver, one, refuses)), "init_failed");
      assert.equal(code(await order(driver, one, { do: "stopAndWait", pid: one, reason: "normal" })), "call_cycle");
    },
  },
];

async function assertCycle(answer: Promise<unknown>, chain: string[]): Promise<void> {
  const text = JSON.stringify(await answer);
  assert.match(text, /call_cycle/);
  for (const pid of chain) assert.ok(text.includes(pid), `${text} names ${pid}`);
}
