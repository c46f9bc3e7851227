import assert from "node:assert/strict";
import { test } from "node:test";
import { isClusterEvent } from "../cluster-events.ts";
import { TABS } from "../view/model.ts";
import { logEntry } from "../view/sample-model.test-support.ts";
import { chooseInk, inkRow } from "./ink.ts";
import { findKey, KEYS, nameKey } from "./keys.ts";
import { LogPane } from "./log-pane.ts";
import { operate } from "./operator.ts";
import { parseFilter } from "./process-filter.ts";
import { Prompt } from "./prompt.ts";

test("in each tab a key does one thing", () => {
  for (const tab of TABS) {
    const names = KEYS.filter(({ on }) => !on || on.includes(tab)).flatMap(({ keys }) => keys);
    assert.deepEqual(names, [...new Set(names)], tab);
  }
});

test("whatever destroys asks first", () => {
  for (const does of ["pause", "kill", "skip", "drop", "stop"]) {
    assert.ok(KEYS.find((key) => key.does === does)?.asks?.includes("{pid}"), does);
  }
});

test("keys have the names of the table", () => {
  assert.equal(nameKey("q", { name: "q", full: "q" }), "q");
  assert.equal(nameKey("K", { name: "k", full: "S-k" }), "K");
  assert.equal(nameKey(" ", { name: "space", full: "space" }), "space");
  assert.equal(nameKey("\x03", { name: "c", full: "C-c", ctrl: true }), "C-c");
  assert.equal(nameKey(undefined, { name: "pageup", full: "pageup" }), "pageup");
  assert.equal(nameKey("\r", { name: "enter", full: "enter" }), "enter");
  assert.equal(nameKey("\r", { name: "return", full: "return" }), "", "Enter is told twice");
  assert.equal(findKey("K", "nodes"), undefined);
  assert.equal(findKey("K", "process")?.does, "kill");
});

test("a question is answered with y, and with any other key it is not", () => {
  for (const [name, isDone] of [
    ["y", true],
    ["n", false],
    ["enter", false],
    ["escape", false],
  ] as const) {
    let done = false;
    const prompt = Prompt.forYes("Kill?", () => {
      done = true;
    });
    assert.equal(prompt.press(name, name), true);
    prompt.finish();
    assert.equal(done, isDone, name);
  }
});

test("a text is typed, corrected, and taken by Enter or given up by Escape", () => {
  const done: string[] = [];
  const type = (...keys: [name: string, character?: string][]) => {
    const prompt = Prompt.forText("filter", "a", (text) => done.push(text));
    for (const [name, character] of keys) if (prompt.press(name, character)) prompt.finish();
  };
  type(["b", "b"], ["space", " "], ["backspace"], ["名", "名"], ["C-x", "\x18"], ["enter"]);
  type(["C-u"], ["enter"]);
  type(["escape"]);
  assert.deepEqual(done, ["ab名", ""]);
});

test("a filter is read, and what is wrong with it told", () => {
  assert.deepEqual(parseFilter("module=stack status=idle owner=worker@vm-1 tag=blue"), {
    module: "stack",
    status: "idle",
    owner: "worker@vm-1",
    tag: "blue",
  });
  assert.deepEqual(parseFilter("  stack   paused "), { module: "stack", status: "paused" });
  assert.throws(() => parseFilter("status=asleep"), /a status is starting, running/);
  assert.throws(() => parseFilter("size=3"), /not of size/);
  assert.throws(() => parseFilter("tag="), /tag= what/);
});

test("the log is filtered by field, by word and by level", () => {
  const pane = new LogPane();
  for (const entry of [
    logEntry({ msg: "one", pid: "stack/a" }),
    logEntry({ msg: "two", level: "warn", node: "api@vm-1" }),
    logEntry({ msg: "three", level: "debug" }),
  ])
    pane.add(entry);
  const seen = () => pane.model.entries.map(({ msg }) => msg);
  assert.deepEqual(seen(), ["one", "two"]);
  pane.filter("pid=stack/");
  assert.deepEqual(seen(), ["one"]);
  pane.filter("tw");
  assert.deepEqual(seen(), ["two"]);
  pane.filter("");
  pane.nextLevel();
  assert.equal(pane.model.level, "warn");
  assert.deepEqual(seen(), ["two"]);
});

test("what is held or looked back at does not move when entries come", () => {
  const pane = new LogPane();
  for (let at = 0; at < 50; at++) pane.add(logEntry({ msg: `${at}` }));
  pane.move(-10, 20);
  pane.add(logEntry({ msg: "new" }));
  assert.equal(pane.model.back, 11);
  pane.move(1_000, 20);
  pane.hold();
  pane.add(logEntry({ msg: "held" }));
  assert.equal(pane.model.entries.at(-1)?.msg, "new");
  pane.hold();
  assert.equal(pane.model.entries.at(-1)?.msg, "held");
});

test("a log that goes on for ever is kept in bounds", () => {
  const pane = new LogPane();
  for (let at = 0; at < 10_000; at++) pane.add(logEntry());
  assert.ok(pane.model.entries.length <= 2_000);
});

test("events are what happens to the cluster, not what modules log", () => {
  for (const msg of ["session.registered", "session.lost", "session.evicted", "modules.changed", "process.quarantined"])
    assert.ok(isClusterEvent(logEntry({ msg })), msg);
  assert.ok(isClusterEvent(logEntry({ msg: "process.quarantined", pid: "stack/a" })));
  assert.ok(!isClusterEvent(logEntry({ msg: "session.lost", pid: "stack/a" })));
  for (const msg of ["module.broken", "processes.shed", "store.unreachable", "redis.reached", "cluster.unreadable"])
    assert.ok(isClusterEvent(logEntry({ msg })), msg);
  for (const msg of ["pushed", "http.listening", "turn.failed", "sessions", "a session.lost"])
    assert.ok(!isClusterEvent(logEntry({ msg })), msg);
});

test("acts go to their routes, and their answers and problems are told in one line", async () => {
  const asked: unknown[] = [];
  const answers = { status: 200, body: { reply: 110 } as unknown };
  const api = {
    request: async (method: string, path: string, body?: unknown) => {
      asked.push([method, path, body]);
      return answers;
    },
  };
  assert.deepEqual(await operate(api, "call", "stack/a", '{"push":1}'), {
    text: 'call stack/a: {"reply":110}',
    isBad: false,
  });
  await operate(api, "cast", "stack/a", "a word");
  await operate(api, "start", "stack/b", "");
  await operate(api, "skip", "stack/a");
  await operate(api, "drop", "stack/a");
  await operate(api, "kill", "stack/a");
  assert.deepEqual(asked, [
    ["POST", "/v1/processes/stack/a/call", { message: { push: 1 } }],
    ["POST", "/v1/processes/stack/a/cast", { message: "a word" }],
    ["POST", "/v1/processes", { module: "stack", key: "b" }],
    ["POST", "/v1/processes/stack/a/mailbox/skip", {}],
    ["DELETE", "/v1/processes/stack/a/dead-letters", undefined],
    ["POST", "/v1/processes/stack/a/kill", {}],
  ]);
  Object.assign(answers, { status: 409, body: { code: "not_paused", detail: "it runs" } });
  assert.deepEqual(await operate(api, "skip", "stack/a"), {
    text: "skip stack/a: 409 not_paused it runs",
    isBad: true,
  });
  for (const pid of ["../b", "ab", "a/b/c"]) assert.equal((await operate(api, "start", pid, "")).isBad, true, pid);
  const mistyped = await operate(api, "call", "stack/a", "{push:1}");
  assert.ok(mistyped.isBad && mistyped.text.startsWith("call stack/a: the message looks like JSON and is none"));
  assert.equal(asked.length, 7, "what is no pid or no message is not sent");
});

test("colours and characters are those that the terminal has", () => {
  assert.deepEqual(chooseInk({ TERM: "xterm-256color" }), { hasColour: true, isAscii: false });
  assert.deepEqual(chooseInk({ TERM: "xterm", NO_COLOR: "1", LANG: "en_US.UTF-8" }), {
    hasColour: false,
    isAscii: false,
  });
  assert.deepEqual(chooseInk({ TERM: "vt100", LC_ALL: "C" }), { hasColour: false, isAscii: true });
  const row = [{ text: "▁█…名", tone: "good" as const }];
  assert.equal(inkRow(row, { hasColour: true, isAscii: false }), "\x1b[32m▁█…名\x1b[0m");
  assert.equal(inkRow(row, { hasColour: false, isAscii: true }), "_#~?");
});
