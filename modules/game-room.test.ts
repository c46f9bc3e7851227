import assert from "node:assert/strict";
import { test } from "node:test";
import { defineServer, noreply } from "genserverless";
import { createKit } from "genserverless/testing";
import gameRoom from "./game-room.ts";

/** Notes what a room publishes. */
const watcher = defineServer({
  name: "watcher",
  version: 1,
  init: (group: string, ctx) => {
    ctx.join(group);
    return [] as unknown[];
  },
  handleInfo: (seen: unknown, all) => noreply([...all, seen]),
});
const ROOM = "game-room/lobby";

test("begins with the first who enters, and moves everybody ten times a second", async () => {
  const kit = createKit({ modules: [gameRoom, watcher] });
  assert.deepEqual(await kit.call(ROOM, { enter: "ann" }), { group: "game-room.lobby", players: ["ann"] });
  const pid = await kit.start("watcher", { args: "game-room.lobby" });
  await kit.cast(ROOM, { steer: { player: "ann", dx: 0.5 } });
  await kit.cast(ROOM, { steer: { player: "constructor", dx: 1 } });
  assert.deepEqual(await kit.call(ROOM, { enter: "ben" }), { group: "game-room.lobby", players: ["ben", "ann"] });
  await kit.advance(250);
  const ben = { x: 0, dx: 0 };
  assert.deepEqual(kit.state(pid), [
    { tick: 1, players: { ben, ann: { x: 0.5, dx: 0.5 } } },
    { tick: 2, players: { ben, ann: { x: 1, dx: 0.5 } } },
  ]);
});

test("sleeps when it is empty, and wakes with who enters next", async () => {
  const kit = createKit({ modules: [gameRoom] });
  await kit.call(ROOM, { enter: "ann" });
  await kit.call(ROOM, { enter: "ben" });
  await kit.cast(ROOM, { leave: "ann" });
  assert.deepEqual([kit.isAwake(ROOM), kit.timers(ROOM).length], [true, 1]);
  await kit.advance(200);
  await kit.cast(ROOM, { leave: "ben" });
  assert.deepEqual([kit.isAwake(ROOM), kit.timers(ROOM).length], [false, 0]);
  await kit.advance(86_400_000);
  assert.deepEqual(kit.state(ROOM), { tick: 2, players: {} });
  await kit.call(ROOM, { enter: "ann" });
  await kit.advance(100);
  assert.deepEqual(kit.state(ROOM), { tick: 3, players: { ann: { x: 0, dx: 0 } } });
});

test("goes on ticking after a crash", async () => {
  const kit = createKit({ modules: [gameRoom] });
  await kit.call(ROOM, { enter: "ann" });
  await kit.advance(300);
  await kit.crash(ROOM);
  await kit.advance(300);
  assert.equal((kit.state(ROOM) as { tick: number }).tick, 6);
});
