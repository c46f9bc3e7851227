import assert from "node:assert/strict";
import { assertFails, begin, type Case, type Driver, fresh } from "../driver.ts";

const entriesOf = (driver: Driver, pid: string) => driver.call(pid, "entries");

/** Commands, events, and what is made of them. */
export const entities: Case[] = [
  {
    name: "keeps the events of a command with its reply, and the state is what they make of it",
    run: async (driver) => {
      const pid = fresh("ledger");
      assert.equal(await driver.call(pid, { enter: 5 }), 1);
      assert.equal(await driver.call(pid, { enterAll: [1, 2, 3, 4, 5] }), null);
      assert.deepEqual(await entriesOf(driver, pid), [5, 1, 2, 3, 4, 5]);
    },
  },
  {
    name: "begins an entity with its first command, by its key, or by a start without arguments",
    run: async (driver) => {
      assert.deepEqual(await entriesOf(driver, fresh("ledger").replace("case", "filled")), [1]);
      assert.deepEqual(await entriesOf(driver, await begin(driver, "ledger")), []);
      await assertFails(begin(driver, "ledger", [1]), "init_failed");
    },
  },
  {
    name: "keeps none of the events of a command that fails, throws, emits what nobody handles, or takes too long",
    run: async (driver) => {
      const pid = fresh("ledger");
      await driver.call(pid, { enter: 1 });
      await assertFails(driver.call(pid, "refuse"), "command_failed", /not today$/);
      assert.deepEqual(await entriesOf(driver, pid), [1]);
      await assertFails(driver.call(pid, "swallow"), "command_failed", /caught, and failed$/);
      await assertFails(driver.call(pid, "crash"), "callback_failed", /after an event/);
      assert.deepEqual(await entriesOf(driver, pid), [1]);
      await assertFails(driver.call(pid, "stray"), "callback_failed", /no event unheard-of; it has entered, cleared/);
      await assertFails(driver.call(pid, "dawdle", { timeoutMs: 10_000 }), "callback_timeout");
      assert.deepEqual(await entriesOf(driver, pid), [1]);
      assert.equal(await driver.call(pid, { enter: 2 }), 2);
    },
  },
  {
    name: "refuses what is no command, and arguments that its validator refuses",
    run: async (driver) => {
      const pid = fresh("ledger");
      await assertFails(driver.call(pid, "unknown"), "invalid_message");
      await assertFails(driver.call(pid, { enter: "much" }), "invalid_message");
      assert.deepEqual(await entriesOf(driver, pid), []);
    },
  },
  {
    name: "refuses an event that comes after its command",
    run: async (driver) => {
      const pid = fresh("ledger");
      await driver.call(pid, "hold");
      assert.match(String(await driver.call(pid, "useHeld")), /comes too late/);
      assert.deepEqual(await entriesOf(driver, pid), []);
    },
  },
  {
    name: "takes commands as casts, as infos, and as what its timers send",
    run: async (driver) => {
      const pid = fresh("ledger");
      await driver.cast(pid, { enter: 1 });
      await driver.info(pid, { enter: 2 });
      await driver.call(pid, "remind");
      await driver.until(async () => assert.deepEqual(await entriesOf(driver, pid), [1, 2, 7]));
    },
  },
  {
    name: "sets a cast aside whose command fails, at once, and counts it as no crash",
    run: async (driver) => {
      const pid = fresh("ledger");
      for (let time = 0; time < 3; time++) await driver.cast(pid, "refuse");
      await driver.until(async () => {
        const letters = await driver.deadLetters(pid);
        assert.deepEqual(
          letters.map(({ message, reason }) => [message, reason]),
          Array.from({ length: 3 }, () => ["refuse", "not today"]),
        );
      });
      assert.equal(await driver.status(pid), "idle");
    },
  },
  {
    name: "makes the state of its snapshot and the later events after a crash",
    run: async (driver) => {
      const pid = fresh("ledger");
      await driver.call(pid, { enterAll: [1, 2, 3] });
      await driver.call(pid, "clear");
      await driver.call(pid, { enterAll: [4, 5] });
      await driver.crash(pid);
      assert.deepEqual(await driver.call(pid, "entries", { timeoutMs: 20_000 }), [4, 5]);
      assert.equal(await driver.call(pid, { enter: 6 }), 3);
    },
  },
  {
    name: "keeps the journal over a normal stop, and a kill",
    run: async (driver) => {
      const pid = fresh("ledger");
      await driver.call(pid, { enter: 1 });
      await driver.stop(pid);
      assert.equal(await driver.call(pid, { enter: 2 }), 2);
      await driver.kill(pid);
      assert.deepEqual(await entriesOf(driver, pid), [1, 2]);
    },
  },
  {
    name: "CS-18: asks anew after every event which commands and events there are",
    run: async (driver) => {
      const pid = fresh("turnstile");
      await assertFails(driver.call(pid, "pass"), "command_failed", /no command pass in this state/);
      await driver.call(pid, "pay");
      await assertFails(driver.call(pid, "pay"), "command_failed");
      await driver.call(pid, "pass");
      assert.deepEqual(await driver.state(pid), { is: "open", coins: 2 });
    },
  },
];
