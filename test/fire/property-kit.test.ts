import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextLoop } from "node:timers/promises";
import fc from "fast-check";
import type { Context, ServerModule } from "genserverless";
import { createKit, type Kit } from "genserverless/testing";
import type { Driver } from "../contract/driver.ts";
import { definePlayer } from "../tools/player.ts";
import { type Order, PlayerModel, programs } from "../tools/player-model.ts";

/** Random programs of players on the test kit, whose workers die in the middle of turns, against a plain model. */

const SECONDS = Number(process.env["FIRE_SECONDS"] ?? 20);
const RUNS = 15 * SECONDS;
const WITHIN_MS = 5_000;
/** Nothing waits for what is outside of the kit: however slow the machine is, no turn is taken for one that does. */
const PATIENCE_MS = 60_000;
const WAIT: Wait = { loops: 1, ticks: 3 };

/** So many rounds of the event loop, and then so many microtasks. */
interface Wait {
  loops: number;
  ticks: number;
}

/** When a worker dies after the order. */
interface Death extends Wait {
  /** The worker of one player, and not that of all. */
  isAlone: boolean;
}

const someDeaths = fc.array(
  fc.record({ loops: fc.nat({ max: 3 }), ticks: fc.nat({ max: 25 }), isAlone: fc.boolean() }),
  { minLength: 1, maxLength: 10 },
);

test("players on the kit become what a plain model says, whatever they are told and wherever their workers die", {
  timeout: (SECONDS + 120) * 1_000,
}, async (t) => {
  let reruns = 0;
  const run = async (orders: readonly Order[], deaths: readonly Death[]) => {
    const play = new Play(deaths);
    await new PlayerModel(play.driver, "kit").run(orders);
    reruns += play.reruns;
  };
  const program = programs({ crashes: 40, upgrades: 3 }, { minLength: 20, maxLength: 80 });
  await fc.assert(fc.asyncProperty(program, someDeaths, run), { numRuns: RUNS });
  t.diagnostic(`${RUNS} programs, ${reruns} turns that were run again`);
  assert.ok(reruns > RUNS / 2);
});

/** A kit with players. What is cast is under way when the next order comes, and what dies does so in the midst of it. */
class Play {
  readonly driver: Driver;
  reruns = 0;
  readonly #kit: Kit;
  readonly #deaths: readonly Death[];
  readonly #handled = new Set<string>();
  #crashes = 0;
  #version = 1;
  #underWay: Promise<unknown> = Promise.resolve();
  #dying: Promise<void> = Promise.resolve();

  constructor(deaths: readonly Death[]) {
    const kit = createKit({ modules: [this.#definePlayer()], patienceMs: PATIENCE_MS });
    this.#kit = kit;
    this.#deaths = deaths;
    this.driver = {
      start: (module, fields) => kit.start(module, fields),
      call: (pid, message, options) => kit.call(pid, message, options),
      cast: async (pid, message, options) => this.#leave(kit.cast(pid, message, options)),
      info: async (pid, message) => this.#leave(kit.info(pid, message)),
      stop: (pid, reason) => kit.stop(pid, reason),
      kill: (pid) => kit.kill(pid),
      pause: (pid) => kit.pause(pid),
      resume: (pid) => kit.resume(pid),
      unquarantine: (pid) => kit.unquarantine(pid),
      crash: (pid) => this.#crashSoon(pid),
      upgrade: async () => {
        this.#version += 1;
        kit.upgrade(this.#definePlayer());
      },
      status: async (pid) => kit.status(pid),
      state: async (pid) => kit.state(pid),
      tags: async (pid) => kit.tags(pid),
      deadLetters: async (pid) => kit.deadLetters(pid),
      until: (fact) => this.#until(fact),
    };
  }

  #leave(work: Promise<unknown>): void {
    this.#underWay = Promise.all([this.#underWay, work]);
  }

  /** What was under way when a worker died has been handled before the next one dies, so that no message is set aside. */
  async #crashSoon(pid: string): Promise<void> {
    await this.#dying;
    const death = this.#deaths[this.#crashes++ % this.#deaths.length];
    if (death) this.#dying = this.#crash(pid, death);
  }

  async #crash(pid: string, death: Death): Promise<void> {
    await pass(death);
    const isThere = !["stopped", undefined].includes(this.#kit.status(pid));
    await this.#kit.crash(death.isAlone && isThere ? pid : undefined);
  }

  async #until(fact: () => Promise<void>): Promise<void> {
    await Promise.all([this.#underWay, this.#dying]);
    const endsAt = this.#kit.now() + WITHIN_MS;
    for (;;) {
      try {
        return await fact();
      } catch (error) {
        if (this.#kit.now() >= endsAt) throw error;
      }
      await this.#kit.advance(10);
    }
  }

  /** A player whose callbacks wait before and after they do what they are to. */
  #definePlayer(): ServerModule {
    const player = definePlayer(this.#version);
    const wait = <Given extends [...unknown[], Context], Returned>(
      callback: (...given: Given) => Returned | Promise<Returned>,
    ) => {
      return async (...given: Given): Promise<Returned> => {
        const { messageId } = given.at(-1) as Context;
        if (this.#handled.has(messageId)) this.reruns += 1;
        this.#handled.add(messageId);
        await pass(WAIT);
        const returned = await callback(...given);
        await pass(WAIT);
        return returned;
      };
    };
    const { handleCall, handleCast, handleInfo } = player;
    assert.ok(handleCall && handleCast && handleInfo);
    return { ...player, handleCall: wait(handleCall), handleCast: wait(handleCast), handleInfo: wait(handleInfo) };
  }
}

async function pass({ loops, ticks }: Wait): Promise<void> {
  for (let loop = 0; loop < loops; loop += 1) await nextLoop();
  for (let tick = 0; tick < ticks; tick += 1) await null;
}
