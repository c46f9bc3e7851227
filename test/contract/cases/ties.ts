import assert from "node:assert/strict";
import type { Step } from "../actor.ts";
import {
  begin,
  type Case,
  type Driver,
  fresh,
  letPass,
  notesOf,
  order,
  orderInTurn,
  startAs,
  untilArrived,
  untilNotes,
  untilStatus,
} from "../driver.ts";

/** Monitors, links, exit signals and groups. */
export const ties: Case[] = [
  {
    name: "tells a monitor of the other's end, with its reason, once",
    run: async (driver) => {
      const [one, other] = [await begin(driver), await begin(driver)];
      const ref = await order(driver, one, { do: "monitor", pid: other });
      await untilArrived(driver, one, other);
      await driver.stop(other, "shutdown");
      await untilNotes(driver, one, [["info", { type: "DOWN", ref, pid: other, reason: "shutdown" }]]);
      assert.equal(await order(driver, one, { do: "demonitor", ref: String(ref) }), false);
    },
  },
  {
    name: "tells a monitor noproc where the other is not there, or stopped",
    run: async (driver) => {
      const [one, other] = [await begin(driver), await begin(driver)];
      await driver.stop(other, "crashed");
      for (const pid of [fresh(), other]) {
        const ref = await order(driver, one, { do: "monitor", pid });
        const down = ["info", { type: "DOWN", ref, pid, reason: "noproc" }];
        await driver.until(async () => assert.deepEqual((await notesOf(driver, one)).at(-1), down));
      }
    },
  },
  {
    name: "delivers no DOWN of a monitor that was ended, also where it was on its way",
    run: async (driver) => {
      const [one, other] = [await begin(driver), await begin(driver)];
      const ref = String(await order(driver, one, { do: "monitor", pid: other }));
      const second = String(await order(driver, one, { do: "monitor", pid: other }));
      assert.equal(await order(driver, one, { do: "demonitor", ref }), true);
      await untilArrived(driver, one, other);
      await driver.pause(one);
      await driver.cast(one, { run: [{ do: "demonitor", ref: second }] });
      await driver.stop(other);
      await driver.resume(one);
      await order(driver, one, { do: "sendAfter", ms: 20, message: "last" });
      await untilNotes(driver, one, [["info", "last"]]);
    },
  },
  {
    name: "ends a linked process with the other's reason, without terminate, from either side",
    run: async (driver) => {
      for (const isFirst of [true, false]) {
        const [one, other, witness] = [await begin(driver), await begin(driver), await begin(driver)];
        await order(driver, one, { do: "link", pid: other });
        await untilArrived(driver, one, other);
        const [ending, linked] = isFirst ? [one, other] : [other, one];
        await order(driver, linked, {
          do: "at-the-end",
          run: [{ do: "cast", pid: witness, message: "terminate ran" }],
        });
        await driver.stop(ending, "crashed");
        await untilStatus(driver, linked, "stopped");
        await letPass(driver, 20);
        assert.deepEqual(await notesOf(driver, witness), []);
      }
    },
  },
  {
    name: "ignores a linked process's normal end, and one after the link was undone",
    run: async (driver) => {
      const [one, other, third] = [await begin(driver), await begin(driver), await begin(driver)];
      await order(driver, one, { do: "link", pid: other }, { do: "link", pid: third });
      await order(driver, one, { do: "unlink", pid: third });
      await untilArrived(driver, one, third);
      await untilArrived(driver, one, other);
      await driver.stop(other, "normal");
      await driver.stop(third, "crashed");
      await letPass(driver, 20);
      await untilStatus(driver, one, "idle");
    },
  },
  {
    name: "drops an exit signal of an earlier life, where the link was undone and made anew",
    run: async (driver) => {
      const [one, other] = [await begin(driver, "trapper"), await begin(driver)];
      await order(driver, one, { do: "link", pid: other });
      await untilArrived(driver, one, other);
      await driver.pause(one);
      await driver.cast(one, {
        run: [
          { do: "unlink", pid: other },
          { do: "link", pid: other },
        ],
      });
      await driver.stop(other, "crashed");
      await startAs(driver, other);
      await driver.resume(one);
      await untilArrived(driver, one, other);
      await letPass(driver, 20);
      assert.deepEqual(await exitsOf(driver, one), []);
      await driver.stop(other, "crashed again");
      await untilExits(driver, one, [{ type: "EXIT", pid: other, reason: "crashed again" }]);
    },
  },
  {
    name: "makes one link where two link each other at once: an end is told once, and either side can undo it",
    run: async (driver) => {
      const [one, other, unlinked] = [
        await begin(driver, "trapper"),
        await begin(driver, "trapper"),
        await begin(driver, "trapper"),
      ];
      for (const pid of [other, unlinked]) {
        await atOnce(driver, [one, [{ do: "link", pid }]], [pid, [{ do: "link", pid: one }]]);
      }
      await order(driver, unlinked, { do: "unlink", pid: one });
      await untilArrived(driver, unlinked, one);
      await driver.stop(unlinked, "crashed");
      await driver.stop(other, "crashed");
      await untilExits(driver, one, [{ type: "EXIT", pid: other, reason: "crashed" }]);
      await letPass(driver, 20);
      assert.deepEqual(await exitsOf(driver, one), [{ type: "EXIT", pid: other, reason: "crashed" }]);
    },
  },
  {
    name: "keeps the other's link where one unlinks while that is on its way",
    run: async (driver) => {
      for (const isFirst of [true, false]) {
        const [one, other] = [await begin(driver, "trapper"), await begin(driver, "trapper")];
        const both: Step[][] = [[{ do: "link", pid: other }], [{ do: "unlink", pid: other }]];
        await atOnce(driver, [one, ...both], [other, [{ do: "link", pid: one }]]);
        const [ending, linked] = isFirst ? [one, other] : [other, one];
        await driver.stop(ending, "crashed");
        await untilExits(driver, linked, [{ type: "EXIT", pid: ending, reason: "crashed" }]);
      }
    },
  },
  {
    name: "gives exit signals to a process that traps them as infos",
    run: async (driver) => {
      const [one, other] = [await begin(driver, "trapper"), await begin(driver)];
      const nobody = fresh();
      await order(driver, one, { do: "link", pid: other });
      await untilArrived(driver, one, other);
      await driver.stop(other, "normal");
      await untilNotes(driver, one, [["info", { type: "EXIT", pid: other, reason: "normal" }]]);
      await order(driver, one, { do: "link", pid: nobody });
      const exit = ["info", { type: "EXIT", pid: nobody, reason: "noproc" }];
      await driver.until(async () => assert.deepEqual((await notesOf(driver, one)).at(-1), exit));
    },
  },
  {
    name: "ends a process that links to nobody",
    run: async (driver) => {
      const one = await begin(driver);
      await order(driver, one, { do: "link", pid: fresh() });
      await untilStatus(driver, one, "stopped");
    },
  },
  {
    name: "sends exit signals: any reason but normal ends the other, kill also one that traps exits",
    run: async (driver) => {
      const [one, other, trapper] = [await begin(driver), await begin(driver), await begin(driver, "trapper")];
      await order(driver, one, { do: "monitor", pid: trapper });
      await untilArrived(driver, one, trapper);
      await order(driver, one, { do: "exit", pid: other, reason: "normal" }, { do: "cast", pid: other, message: 1 });
      await untilNotes(driver, other, [["cast", 1]]);
      await order(driver, one, { do: "exit", pid: other, reason: "enough" });
      await untilStatus(driver, other, "stopped");
      await order(driver, one, { do: "exit", pid: trapper, reason: "enough" });
      const exit = ["info", { type: "EXIT", pid: one, reason: "enough" }];
      await driver.until(async () => assert.deepEqual((await notesOf(driver, trapper)).at(-1), exit));
      await order(driver, one, { do: "exit", pid: trapper, reason: "kill" });
      await untilStatus(driver, trapper, "stopped");
      await driver.until(async () => assert.match(JSON.stringify(await notesOf(driver, one)), /"reason":"killed"/));
    },
  },
  {
    name: "ends itself with an exit signal, also a normal one",
    run: async (driver) => {
      const pid = await begin(driver);
      await order(driver, pid, { do: "exit", pid, reason: "normal" });
      await untilStatus(driver, pid, undefined);
    },
  },
  {
    name: "publishes to the members of a group, and to nobody who left or ended",
    run: async (driver) => {
      const group = fresh().replace("/", "-");
      const [one, other, third] = [await begin(driver), await begin(driver), await begin(driver)];
      for (const pid of [one, other, third]) await order(driver, pid, { do: "join", group });
      await untilMembers(driver, one, group, [one, other, third]);
      await order(driver, one, { do: "publish", group, message: "hello" });
      for (const pid of [one, other, third]) await untilNotes(driver, pid, [["info", "hello"]]);
      await order(driver, other, { do: "leave", group });
      await driver.stop(third);
      await untilMembers(driver, one, group, [one]);
      await order(driver, one, { do: "publish", group, message: "again" });
      await untilNotes(driver, one, [
        ["info", "hello"],
        ["info", "again"],
      ]);
      assert.deepEqual(await notesOf(driver, other), [["info", "hello"]]);
    },
  },
  {
    name: "forgets monitors, links and timers with the life that made them",
    run: async (driver) => {
      const [one, other] = [await begin(driver), await begin(driver)];
      await orderInTurn(
        driver,
        one,
        [
          { do: "monitor", pid: other },
          { do: "sendAfter", ms: 200, message: "old" },
          { do: "sendEvery", ms: 200, message: "old" },
        ],
        [{ do: "end", reason: "crashed" }],
      );
      await untilStatus(driver, one, "stopped");
      const [module = "", key = ""] = one.split("/");
      await driver.start(module, { key });
      await driver.stop(other);
      await order(driver, one, { do: "sendAfter", ms: 300, message: "new" });
      await untilNotes(driver, one, [["info", "new"]]);
    },
  },
];

async function untilMembers(driver: Driver, pid: string, group: string, members: string[]): Promise<void> {
  await driver.until(async () => {
    const found = (await order(driver, pid, { do: "members", group })) as string[];
    assert.deepEqual(found.sort(), [...members].sort());
  });
}

/** Each does its turns before it hears of the other's, and both have heard in the end. */
async function atOnce(driver: Driver, ...all: [pid: string, ...turns: Step[][]][]): Promise<void> {
  for (const [pid] of all) await driver.pause(pid);
  for (const [pid, ...turns] of all) for (const run of turns) await driver.cast(pid, { run });
  for (const [pid] of all) await driver.resume(pid);
  for (const [from] of all) for (const [to] of all) if (from !== to) await untilArrived(driver, from, to);
}

/** The exit signals that an actor has noted. */
async function exitsOf(driver: Driver, pid: string): Promise<unknown[]> {
  const infos = (await notesOf(driver, pid)).flatMap((note) =>
    Array.isArray(note) && note[0] === "info" ? [note[1]] : [],
  );
  return infos.filter((message) => (message as { type?: string }).type === "EXIT");
}

async function untilExits(driver: Driver, pid: string, exits: unknown[]): Promise<void> {
  await driver.until(async () => assert.deepEqual(await exitsOf(driver, pid), exits));
}
