/** The supervisor, on the test kit. On a real cluster, with workers that die: test/story/supervisor.test.ts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineServer, ignore, noreply, reply, stop } from "../index.ts";
import { createKit, type Kit } from "../testing/kit.ts";
import type { ChildSpec, Supervision } from "./child-spec.ts";
import { defineSupervisor } from "./define-supervisor.ts";
import supervisor from "./supervisor.ts";

/** Whether the init of this key fails, is kept waiting or declined, for each that does not just begin. */
const inits = new Map<string, "fail" | "ignore" | "hang">();

const bee = defineServer({
  name: "bee",
  version: 1,
  keepState: "never",
  init: async (args: unknown, ctx) => {
    const how = inits.get(ctx.key);
    if (how === "fail") throw new Error("no bee today");
    if (how === "ignore") return ignore() as never;
    if (how === "hang") await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
    ctx.log.info({ story: `${ctx.key} begins` });
    return { args };
  },
  handleCall: (_message: "args", _from, state) => reply(state.args, state),
  handleCast: async (message: { end: string } | { ask: string }, state, ctx) => {
    if ("end" in message) return stop(message.end, state);
    ctx.log.info({ story: JSON.stringify(await ctx.call(message.ask, "count_children")) });
    return noreply(state);
  },
  terminate: (reason, _state, ctx) => ctx.log.info({ story: `${ctx.key} ends: ${reason}` }),
});

const S = "supervisor/s";
const spec = (id: string, more: Partial<ChildSpec> = {}): ChildSpec => ({ id, start: { module: "bee" }, ...more });

async function supervise(supervision: Supervision): Promise<Kit> {
  inits.clear();
  const kit = createKit({ modules: [supervisor, bee], patienceMs: 50 });
  await kit.start("supervisor", { key: "s", args: supervision });
  return kit;
}

/** What the bees have said since the last time. */
function tell(kit: Kit): unknown[] {
  const told = kit.logs.flatMap(({ fields }) => ("story" in fields ? [fields.story] : []));
  const before = read.get(kit) ?? 0;
  read.set(kit, told.length);
  return told.slice(before);
}
const read = new WeakMap<Kit, number>();

const end = (kit: Kit, id: string, reason = "boom") => kit.cast(`bee/s.${id}`, { end: reason });
const ids = async (kit: Kit, pid = S) =>
  ((await kit.call(pid, "which_children")) as { id: string; child: string | null }[]).map(
    ({ id, child }) => `${id}: ${child}`,
  );

test("starts its children in order and says which they are", async () => {
  const kit = await supervise({
    children: [spec("a"), spec("b", { start: { module: "bee", key: "own", args: [1] } })],
  });
  assert.deepEqual(tell(kit), ["s.a begins", "own begins"]);
  assert.deepEqual(await kit.call(S, "which_children"), [
    { id: "a", child: "bee/s.a", type: "worker", modules: ["bee"] },
    { id: "b", child: "bee/own", type: "worker", modules: ["bee"] },
  ]);
  assert.deepEqual(await kit.call(S, "count_children"), { specs: 2, active: 2, supervisors: 0, workers: 2 });
  assert.deepEqual([await kit.call("bee/s.a", "args"), await kit.call("bee/own", "args")], [null, [1]]);
});

test("one-for-one: restarts the child that ended", async () => {
  const kit = await supervise({ children: ["a", "b", "c"].map((id) => spec(id)) });
  tell(kit);
  await end(kit, "b");
  assert.deepEqual(tell(kit), ["s.b ends: boom", "s.b begins"]);
});

test("one-for-all: stops the others in reverse order, then starts all in order", async () => {
  const kit = await supervise({ strategy: "one-for-all", children: ["a", "b", "c"].map((id) => spec(id)) });
  tell(kit);
  await end(kit, "b");
  const stops = ["s.b ends: boom", "s.c ends: shutdown", "s.a ends: shutdown"];
  assert.deepEqual(tell(kit), [...stops, "s.a begins", "s.b begins", "s.c begins"]);
});

test("rest-for-one: stops and starts those that were started after it", async () => {
  const kit = await supervise({ strategy: "rest-for-one", children: ["a", "b", "c", "d"].map((id) => spec(id)) });
  tell(kit);
  await end(kit, "b");
  const stops = ["s.b ends: boom", "s.d ends: shutdown", "s.c ends: shutdown"];
  assert.deepEqual(tell(kit), [...stops, "s.b begins", "s.c begins", "s.d begins"]);
});

test("restart types: what is restarted after which reason, and whose spec stays", async () => {
  const fates: [restart: ChildSpec["restart"], reason: string, left: string[]][] = [
    ["permanent", "normal", ["a: bee/s.a"]],
    ["permanent", "boom", ["a: bee/s.a"]],
    ["transient", "boom", ["a: bee/s.a"]],
    ["transient", "normal", ["a: null"]],
    ["transient", "shutdown", ["a: null"]],
    ["transient", "shutdown: moved", ["a: null"]],
    ["temporary", "boom", []],
    ["temporary", "normal", []],
  ];
  for (const [restart, reason, left] of fates) {
    const kit = await supervise({ children: [spec("a", { restart: restart as "permanent" })] });
    await end(kit, "a", reason);
    assert.deepEqual(await ids(kit), left, `${restart} after ${reason}`);
  }
});

test("one-for-all: a temporary child is stopped and forgotten", async () => {
  const children = [spec("a"), spec("b", { restart: "temporary" })];
  const kit = await supervise({ strategy: "one-for-all", children });
  await end(kit, "a");
  assert.deepEqual(await ids(kit), ["a: bee/s.a"]);
  assert.equal(kit.status("bee/s.b"), undefined);
});

test("more restarts than the intensity allows: all are stopped in reverse order, then it stops with reason shutdown", async () => {
  const kit = await supervise({ maxRestarts: 2, maxSeconds: 5, children: ["a", "b", "c"].map((id) => spec(id)) });
  await end(kit, "b");
  await end(kit, "b");
  await kit.advance(5_001);
  await end(kit, "b");
  await end(kit, "b");
  assert.equal(kit.status(S), "idle");
  tell(kit);
  await end(kit, "b");
  assert.deepEqual(tell(kit), ["s.b ends: boom", "s.c ends: shutdown", "s.a ends: shutdown"]);
  assert.deepEqual(kit.events.at(-1), { event: "process.ended", at: kit.now(), pid: S, reason: "shutdown" });
});

test("a child whose init fails fails the supervisor's, after those before it were stopped in reverse order", async () => {
  inits.clear();
  inits.set("s.c", "fail");
  const kit = createKit({ modules: [supervisor, bee] });
  const children = ["a", "b", "c", "d"].map((id) => spec(id, { shutdown: id === "a" ? "brutal-kill" : 5_000 }));
  const started = kit.start("supervisor", { key: "s", args: { children } });
  await assert.rejects(started, {
    code: "init_stopped",
    message: /child c did not start: init_failed: .*no bee today/,
  });
  assert.deepEqual(tell(kit), ["s.a begins", "s.b begins", "s.b ends: shutdown", "s.a ends: shutdown"]);
});

test("a child whose init wants no process stays a spec without a process", async () => {
  inits.clear();
  inits.set("s.a", "ignore").set("s.b", "ignore");
  const kit = createKit({ modules: [supervisor, bee] });
  await kit.start("supervisor", { key: "s", args: { children: [spec("a"), spec("b", { restart: "temporary" })] } });
  assert.deepEqual(await ids(kit), ["a: null"]);
});

test("a restart that fails counts as another, and is tried again after the mail that waits", async () => {
  const kit = await supervise({ maxRestarts: 3, children: [spec("a"), spec("b")] });
  inits.set("s.b", "fail");
  await kit.pause(S);
  await end(kit, "b");
  const behind = kit.request(S, { terminate_child: "b" });
  await kit.resume(S);
  assert.equal(await behind.reply(), "ok");
  await kit.advance(10);
  assert.deepEqual(await ids(kit), ["a: bee/s.a", "b: null"]);
  tell(kit);
  inits.set("s.a", "fail");
  await end(kit, "a");
  await kit.advance(10);
  assert.equal(kit.status(S), undefined, "the one before and three more are too many");
});

test("a restart that fails is tried again with those that the strategy names", async () => {
  const kit = await supervise({ strategy: "rest-for-one", children: [spec("a"), spec("b"), spec("c")] });
  inits.set("s.b", "fail");
  kit.hold();
  await end(kit, "a");
  while (!JSON.stringify(kit.logs.at(-1)).includes("did not start")) await kit.release().then(() => kit.hold());
  tell(kit);
  inits.clear();
  await kit.release();
  await kit.advance(1);
  assert.deepEqual(tell(kit), ["s.b begins", "s.c begins"]);
  assert.deepEqual(await ids(kit), ["a: bee/s.a", "b: bee/s.b", "c: bee/s.c"]);
});

test("start_child, terminate_child, restart_child and delete_child answer as OTP's do", async () => {
  const kit = await supervise({ children: [spec("a")] });
  inits.set("s.bad", "fail");
  const answers: [message: unknown, answer: unknown][] = [
    [{ start_child: spec("b", { restart: "transient" }) }, { ok: "bee/s.b" }],
    [{ start_child: spec("b") }, { error: "already_started", pid: "bee/s.b" }],
    [
      { start_child: spec("x", { start: { module: "bee", key: "s.b" } }) },
      { error: "the children b and x are both bee/s.b" },
    ],
    [{ restart_child: "b" }, { error: "running" }],
    [{ delete_child: "b" }, { error: "running" }],
    [{ terminate_child: "b" }, "ok"],
    [{ terminate_child: "b" }, "ok"],
    [{ start_child: spec("b") }, { error: "already_present" }],
    [{ restart_child: "b" }, { ok: "bee/s.b" }],
    [{ terminate_child: "b" }, "ok"],
    [{ delete_child: "b" }, "ok"],
    [{ delete_child: "b" }, { error: "not_found" }],
    [{ terminate_child: "b" }, { error: "not_found" }],
    [{ restart_child: "b" }, { error: "not_found" }],
    [{ start_child: spec("bad") }, { error: "init_failed: bee.init threw Error: no bee today" }],
    [{ start_child: spec("t", { restart: "temporary" }) }, { ok: "bee/s.t" }],
    [{ terminate_child: "t" }, "ok"],
    ["count_children", { specs: 1, active: 1, supervisors: 0, workers: 1 }],
  ];
  for (const [message, answer] of answers) {
    assert.deepEqual(await kit.call(S, message), answer, JSON.stringify(message));
  }
  await assert.rejects(kit.call(S, { start_child: { id: "b", start: {} } }), { message: /start\.module must be / });
});

test("a bad spec is an error of init that names the field", async () => {
  const faults: [args: unknown, error: RegExp][] = [
    ["abc", /the arguments must be an object/],
    [{ strategie: 1 }, /the arguments has an unknown field strategie/],
    [{ strategy: "simple" }, /strategy must be one of "one-for-one", /],
    [{ maxRestarts: -1 }, /maxRestarts must be a whole number from 0, not -1/],
    [{ maxSeconds: 0 }, /maxSeconds must be/],
    [{ children: {} }, /children must be a list/],
    [{ children: [null] }, /children\[0\] must be an object/],
    [{ children: [spec("a"), spec("/")] }, /children\[1\]\.id must be 1 to 128 characters/],
    [{ children: [{ id: "a" }] }, /children\[0\]\.start must be an object/],
    [{ children: [spec("a", { start: { module: "" } })] }, /children\[0\]\.start\.module must be/],
    [{ children: [spec("a", { start: { module: "bee", key: "a b" } })] }, /children\[0\]\.start\.key must be/],
    [{ children: [spec("a", { start: { module: "bee", tags: [""] } })] }, /children\[0\]\.start\.tags must be/],
    [{ children: [spec("a", { start: { module: "bee", idleAfterMs: 0 } })] }, /\[0\]\.start\.idleAfterMs must be/],
    [{ children: [{ ...spec("a"), restart: "always" }] }, /children\[0\]\.restart must be one of "permanent", /],
    [{ children: [spec("a", { shutdown: -1 })] }, /children\[0\]\.shutdown must be whole ms/],
    [{ children: [{ ...spec("a"), type: "bee" }] }, /children\[0\]\.type must be one of/],
    [{ children: [spec("a"), spec("a")] }, /two children have the id a/],
    [{ children: [spec("a".repeat(128))] }, /give start\.key, for s\.a+ is too long/],
  ];
  const kit = createKit({ modules: [supervisor, bee] });
  for (const [args, message] of faults) {
    await assert.rejects(kit.start("supervisor", { key: "s", args }), { code: "init_failed", message });
  }
});

test("a child that does not stop in its time is killed, and one that is not to be asked is killed at once", async () => {
  const kit = await supervise({
    children: [spec("slow", { shutdown: 300 }), spec("brutal", { shutdown: "brutal-kill" })],
  });
  tell(kit);
  await kit.pause("bee/s.slow");
  const stopping = kit.request(S, { terminate_child: "slow" });
  await kit.advance(299);
  assert.deepEqual(
    kit.mailbox("bee/s.slow").map(({ kind }) => kind),
    ["stop"],
  );
  await kit.advance(1);
  assert.match(JSON.stringify(kit.logs.at(-1)), /did not stop in time and is killed/);
  assert.equal(await stopping.reply(), "ok");
  assert.equal(kit.status("bee/s.slow"), undefined);
  assert.equal(await kit.call(S, { terminate_child: "brutal" }), "ok");
  assert.deepEqual(tell(kit), []);
  assert.equal(kit.status("bee/s.brutal"), undefined);
});

test("when it stops its children are stopped in reverse order, those of a supervisor under it in its turn", async () => {
  const nest = { children: [spec("x"), spec("y")] };
  const inner: ChildSpec = { id: "in", start: { module: "supervisor", args: nest }, type: "supervisor" };
  const kit = await supervise({ children: [spec("a"), inner, spec("b")] });
  assert.deepEqual(tell(kit), ["s.a begins", "s.in.x begins", "s.in.y begins", "s.b begins"]);
  assert.deepEqual(await kit.call(S, "count_children"), { specs: 3, active: 3, supervisors: 1, workers: 2 });
  await kit.stop(S);
  const ends = ["s.b", "s.in.y", "s.in.x", "s.a"].map((key) => `${key} ends: shutdown`);
  assert.deepEqual(tell(kit), ends);
});

test("a supervisor that is killed leaves its children, and its next life finds them", async () => {
  const kit = await supervise({ children: [spec("a")] });
  tell(kit);
  await kit.kill(S);
  assert.equal(kit.status("bee/s.a"), "idle");
  await kit.start("supervisor", { key: "s", args: { children: [spec("a")] } });
  await end(kit, "a");
  assert.deepEqual(tell(kit), ["s.a ends: boom", "s.a begins"]);
});

test("a supervisor whose worker dies in any turn of a restart finishes it once", async () => {
  for (let turns = 0; turns < 8; turns++) {
    const kit = await supervise({ strategy: "one-for-all", children: ["a", "b", "c"].map((id) => spec(id)) });
    tell(kit);
    kit.hold();
    await end(kit, "b");
    for (let turn = 0; turn < turns; turn++) await kit.release().then(() => kit.hold());
    kit.crashDuringNextTurn(S);
    await kit.release();
    await kit.settle();
    const told = tell(kit);
    assert.deepEqual([...told].sort(), [
      "s.a begins",
      "s.a ends: shutdown",
      "s.b begins",
      "s.b ends: boom",
      "s.c begins",
      "s.c ends: shutdown",
    ]);
    assert.deepEqual(await ids(kit), ["a: bee/s.a", "b: bee/s.b", "c: bee/s.c"]);
  }
});

test("steps that were given up after three deaths are taken up again", async () => {
  const kit = await supervise({ children: [spec("a")] });
  inits.set("s.a", "hang");
  await end(kit, "a");
  for (let deaths = 0; deaths < 3; deaths++) await kit.crash(S);
  assert.deepEqual(await ids(kit), ["a: restarting"]);
  await kit.crash("bee/s.a");
  inits.clear();
  await kit.advance(60_000);
  assert.deepEqual(await ids(kit), ["a: bee/s.a"]);
});

test("an exit signal does not end it, and infos that mean nothing to it change nothing", async () => {
  const kit = await supervise({ children: [spec("a")] });
  for (const info of [
    { type: "EXIT", pid: "bee/x", reason: "boom" },
    { type: "DOWN", ref: "x" },
    { try_again: "a" },
    { wait_over: "a" },
    "go_on",
  ]) {
    await kit.info(S, info);
  }
  assert.deepEqual(await ids(kit), ["a: bee/s.a"]);
  assert.deepEqual(kit.deadLetters(S), []);
});

test("defineSupervisor: a supervisor with a name, whose children may depend on the arguments", async () => {
  inits.clear();
  const hive = defineSupervisor({
    name: "hive",
    strategy: "one-for-all",
    children: ({ bees }: { bees: number }) => Array.from({ length: bees }, (_, index) => spec(`bee-${index + 1}`)),
  });
  const kit = createKit({ modules: [hive, bee] });
  const pid = await kit.start("hive", { key: "h", args: { bees: 2 } });
  assert.deepEqual(await ids(kit, pid), ["bee-1: bee/h.bee-1", "bee-2: bee/h.bee-2"]);
});

test("defineSupervisor: says which field of which module is wrong when the file is loaded", () => {
  const wrong = () => defineSupervisor({ name: "hive", children: [{ ...spec("a"), shutdown: -1 }] });
  assert.throws(wrong, { name: "InvalidModuleError", message: /^module hive: children\[0\]\.shutdown must be / });
  assert.throws(() => defineSupervisor({ name: "hive", maxSeconds: -1, children: () => [] }), /maxSeconds must be/);
});
