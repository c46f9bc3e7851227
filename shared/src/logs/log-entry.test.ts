import assert from "node:assert/strict";
import { test } from "node:test";
import { LOG_LEVELS, passes, readEntry } from "./log-entry.ts";

const ID = "1772366400000-3";

test("an entry has what it should have, whatever the line says", () => {
  for (const odd of ["noon", 7, null, true, [], { a: 1 }, undefined]) {
    const line = JSON.stringify({ id: odd, time: odd, level: odd, node: odd, msg: odd, pid: odd, module: odd });
    const entry = readEntry(ID, line) ?? assert.fail(line);
    assert.equal(entry.id, ID);
    assert.equal(entry.time, "2026-03-01T12:00:00.000Z");
    assert.ok(LOG_LEVELS.includes(entry.level), line);
    for (const text of [entry.node, entry.msg, entry.pid ?? "", entry.module ?? ""])
      assert.equal(typeof text, "string");
  }
});

test("what a line says twice is what it says last, and still a text", () => {
  const line =
    '{"level":"warn","time":"2026-03-01T12:00:00.123Z","node":"worker@a","node":7,"level":30,"time":"noon","msg":"x"}';
  assert.deepEqual(readEntry(ID, line), {
    id: ID,
    time: "2026-03-01T12:00:00.000Z",
    level: "info",
    node: "7",
    msg: "x",
  });
});

test("an entry keeps its time, its level and its fields, and is of its process's module", () => {
  const said = { time: "2026-03-01T12:00:00.123Z", level: "warn", node: "worker@a", msg: "lost", pid: "stack/a", n: 1 };
  assert.deepEqual(readEntry(ID, JSON.stringify({ ...said, module: "other" })), { id: ID, module: "stack", ...said });
  const { pid: _, ...about } = { ...said, module: "stack" };
  assert.deepEqual(readEntry(ID, JSON.stringify(about)), { id: ID, ...about });
});

test("what is no JSON object is no entry", () => {
  for (const line of ["", "{", "null", "5", '"text"']) assert.equal(readEntry(ID, line), undefined, line);
});

test("a level lets itself and the graver ones pass", () => {
  const entry = readEntry(ID, '{"level":"warn"}') ?? assert.fail();
  const passed = LOG_LEVELS.filter((level) => passes(entry, { level }));
  assert.deepEqual(passed, ["trace", "debug", "info", "warn"]);
});
