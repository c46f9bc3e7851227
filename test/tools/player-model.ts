/**
 * What players must have become, by a model that knows nothing of turns, commits, outboxes and deaths: a map of states, and
 * each order done at once and to its end. A program is run against the model and against whatever runs the module, and
 * each reply, and in the end each state, must be the same.
 *
 * What different senders send to one player may come in any order, and the model does not say which. So before an order
 * whose effect depends on what is still on its way – an end, a start, a monitor – everything must have arrived.
 * What was thrown at nobody shows in no state: a driver's start begins a life only when nothing is left in an outbox.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Driver } from "../contract/driver.ts";
import type { PlayerState } from "./player.ts";

const KEYS = ["p0", "p1", "p2", "p3"];

export type Order =
  | { do: "start" | "fail" | "crash"; at: number; to: number }
  | { do: "kill" | "watch"; at: number; to: number }
  | { do: "stop"; at: number; reason: "normal" | "broken" }
  | { do: "add" | "ask"; at: number; to: number; add: number }
  | { do: "throw"; at: number; tour: number[]; balls: number }
  | { do: "ring" | "defer"; at: number; ms: number }
  | { do: "set" | "cancel"; at: number; name: string }
  | { do: "upgrade" };

interface Player {
  state: PlayerState;
  status: "alive" | "stopped";
  /** Those whom it watches, as often as it does. */
  watches: number[];
  timers: Set<string>;
}

const player = fc.nat({ max: KEYS.length - 1 });
const pair = { at: player, to: player };
const just = <Name extends string>(...names: Name[]) => fc.constantFrom(...names);

export interface Rates {
  /** How often, of a hundred or so orders, a worker dies and a module is replaced. */
  crashes: number;
  upgrades: number;
}

export function programs({ crashes, upgrades }: Rates, length: { minLength: number; maxLength: number }) {
  const order: fc.Arbitrary<Order> = fc.oneof(
    { weight: 10, arbitrary: fc.record({ do: just("start"), ...pair }) },
    { weight: 18, arbitrary: fc.record({ do: just("add", "ask"), ...pair, add: fc.integer({ min: 1, max: 9 }) }) },
    {
      weight: 30,
      arbitrary: fc.record({
        do: just("throw"),
        at: player,
        tour: fc.array(player, { minLength: 1, maxLength: 5 }),
        balls: fc.integer({ min: 1, max: 5 }),
      }),
    },
    { weight: 10, arbitrary: fc.record({ do: just("ring", "defer"), at: player, ms: fc.nat({ max: 40 }) }) },
    { weight: 8, arbitrary: fc.record({ do: just("set", "cancel"), at: player, name: just("one", "other") }) },
    { weight: 8, arbitrary: fc.record({ do: just("watch"), ...pair }) },
    { weight: 4, arbitrary: fc.record({ do: just("fail"), ...pair }) },
    { weight: 5, arbitrary: fc.record({ do: just("stop"), at: player, reason: just("normal", "broken") }) },
    { weight: 3, arbitrary: fc.record({ do: just("kill"), ...pair }) },
    { weight: crashes, arbitrary: fc.record({ do: just("crash"), ...pair }) },
    { weight: upgrades, arbitrary: fc.record({ do: just("upgrade") }) },
  );
  return fc.array(order, { ...length, size: "max" });
}

export class PlayerModel {
  readonly #driver: Driver;
  readonly #prefix: string;
  readonly #players = new Map<number, Player>();
  readonly #letters = new Map<number, number>();
  readonly #deferred: Promise<unknown>[] = [];
  #lives = 0;

  constructor(driver: Driver, prefix: string) {
    this.#driver = driver;
    this.#prefix = prefix;
  }

  async run(program: readonly Order[]): Promise<void> {
    for (const order of program) await this.#take(order);
    await this.#untilArrived();
    for (const at of KEYS.keys()) await this.#assertLetters(at, this.#letters.get(at) ?? 0);
  }

  async #take(order: Order): Promise<void> {
    if (order.do === "upgrade") return await this.#driver.upgrade();
    if (order.do === "start") return await this.#start(order.at);
    const found = this.#players.get(order.at);
    const alive = found?.status === "alive" ? found : undefined;
    if (!alive) return await this.#assertNobody(order.at);
    const pid = this.#pid(order.at);
    switch (order.do) {
      case "add":
        alive.state.total += order.add;
        return assert.equal(await this.#driver.call(pid, { add: order.add }), alive.state.total);
      case "ask":
        return await this.#ask(order.at, order.to, order.add);
      case "throw":
        await this.#driver.cast(pid, { throw: { tour: order.tour.map((to) => this.#pid(to)), balls: order.balls } });
        for (let ball = 0; ball < order.balls; ball++) this.#pass(alive, order.tour);
        return;
      case "ring":
        alive.state.rung += 1;
        return await this.#driver.cast(pid, { alarm: { ms: order.ms } });
      case "defer":
        this.#deferred.push(this.#driver.call(pid, { defer: order.ms }, { timeoutMs: 60_000 }));
        return;
      case "set":
        alive.timers.add(order.name);
        return await this.#driver.cast(pid, { alarm: { ms: 3_600_000, name: order.name } });
      case "cancel":
        return assert.equal(await this.#driver.call(pid, { cancel: order.name }), alive.timers.delete(order.name));
      case "fail":
        this.#letters.set(order.at, (this.#letters.get(order.at) ?? 0) + 1);
        return await this.#driver.cast(pid, { fail: true });
      case "crash":
        return await this.#driver.crash(pid);
      case "stop":
      case "kill":
      case "watch":
        await this.#untilArrived();
        return await this.#end(order, alive, pid);
    }
  }

  /** The orders before which everything must have arrived. */
  async #end(order: Extract<Order, { do: "stop" | "kill" | "watch" }>, alive: Player, pid: string): Promise<void> {
    if (order.do === "watch") {
      assert.equal(await this.#driver.call(pid, { watch: this.#pid(order.to) }), true);
      if (this.#isAlive(order.to)) alive.watches.push(order.to);
      else this.#tellDown(alive, order.to);
      return await this.#untilWatched(pid, order.to);
    }
    if (order.do === "stop") await this.#driver.stop(pid, order.reason);
    else await this.#driver.kill(pid);
    alive.status = "stopped";
    if (order.do === "stop" && order.reason === "normal") this.#players.delete(order.at);
    alive.watches = [];
    alive.timers.clear();
    for (const other of this.#players.values()) {
      const mine = other.watches.filter((to) => to === order.at);
      other.watches = other.watches.filter((to) => to !== order.at);
      for (const to of mine) this.#tellDown(other, to);
    }
    await this.#untilArrived();
  }

  async #start(at: number): Promise<void> {
    const found = this.#players.get(at);
    if (found?.status === "alive") {
      await assert.rejects(this.#driver.start("player", { key: this.#key(at) }), { code: "already_started" });
      return;
    }
    await this.#untilArrived();
    const name = `life ${++this.#lives}`;
    await this.#driver.start("player", { key: this.#key(at), args: name });
    if (found) found.status = "alive";
    else this.#players.set(at, { state: newState(name), status: "alive", watches: [], timers: new Set() });
  }

  async #ask(at: number, to: number, add: number): Promise<void> {
    const asked = this.#driver.call(this.#pid(at), { ask: this.#pid(to), add }, { timeoutMs: 30_000 });
    const other = this.#players.get(to);
    if (at !== to && other?.status === "alive") {
      other.state.total += add;
      assert.equal(await asked, other.state.total);
    } else {
      await assert.rejects(asked, { code: at === to ? "call_cycle" : "callback_failed" });
    }
  }

  async #assertNobody(at: number): Promise<void> {
    await assert.rejects(this.#driver.call(this.#pid(at), { add: 1 }), { code: "no_process" });
  }

  #pass(from: Player, [next, ...tour]: readonly number[]): void {
    if (next === undefined) return;
    const pid = this.#pid(next);
    const number = (from.state.thrown[pid] ?? 0) + 1;
    from.state.thrown[pid] = number;
    const to = this.#players.get(next);
    if (to?.status !== "alive") return;
    to.state.caught[from.state.name] = [...(to.state.caught[from.state.name] ?? []), number];
    this.#pass(to, tour);
  }

  #tellDown({ state }: Player, to: number): void {
    state.downs[this.#pid(to)] = (state.downs[this.#pid(to)] ?? 0) + 1;
  }

  /** A monitor is there when what was sent after it is. */
  async #untilWatched(pid: string, to: number): Promise<void> {
    const [at] = [...KEYS.keys()].filter((index) => this.#pid(index) === pid);
    const watcher = at === undefined ? undefined : this.#players.get(at);
    if (!watcher) return;
    await this.#driver.cast(pid, { throw: { tour: [this.#pid(to)], balls: 1 } });
    this.#pass(watcher, [to]);
    await this.#untilArrived();
  }

  async #untilArrived(): Promise<void> {
    for (const reply of await Promise.all(this.#deferred.splice(0))) assert.equal(reply, "late");
    await this.#driver.until(async () => {
      for (const [at, { state }] of this.#players) {
        const actual = (await this.#driver.state(this.#pid(at))) as PlayerState | undefined;
        assert.deepEqual({ ...actual, version: 0 }, state, this.#pid(at));
      }
      for (const [at, expected] of this.#letters) await this.#assertLetters(at, expected);
    });
  }

  async #assertLetters(at: number, expected: number): Promise<void> {
    const letters = await this.#driver.deadLetters(this.#pid(at));
    assert.equal(letters.length, expected, `dead letters of ${this.#pid(at)}`);
  }

  #isAlive(at: number): boolean {
    return this.#players.get(at)?.status === "alive";
  }

  #key(at: number): string {
    return `${this.#prefix}-${KEYS[at]}`;
  }

  #pid(at: number): string {
    return `player/${this.#key(at)}`;
  }
}

/** The version is whatever has changed it last. */
function newState(name: string): PlayerState {
  return { version: 0, name, total: 0, thrown: {}, caught: {}, rung: 0, downs: {} };
}
