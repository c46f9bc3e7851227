import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { LogLine } from "@genserverless/shared/functions/views.ts";
import { FunctionLog } from "./function-log.ts";
import { readOutput } from "./output-reader.ts";

const line = (text: string): LogLine => ({ at: 0, commit: "c", sandbox: 1, stream: "stdout", text });

test("a reader gets what is kept, and goes on after the id it had", () => {
  const log = new FunctionLog(7);
  for (const text of ["a", "b", "c"]) log.append(line(text));
  assert.deepEqual(
    log.readAfter(undefined).map(({ id, line }) => [id, line.text]),
    [
      ["7-1", "a"],
      ["7-2", "b"],
      ["7-3", "c"],
    ],
  );
  assert.deepEqual(
    log.readAfter("7-2").map(({ id }) => id),
    ["7-3"],
  );
  assert.deepEqual(log.readAfter("7-3"), []);
  assert.equal(log.readAfter("6-2").length, 3);
});

test("the oldest lines go, by number and by size, and ids stay", () => {
  const log = new FunctionLog(1);
  for (let i = 0; i < 1_500; i++) log.append(line(String(i)));
  assert.deepEqual([log.readAfter(undefined).length, log.readAfter(undefined)[0]?.id], [1_000, "1-501"]);
  for (let i = 0; i < 100; i++) log.append(line("x".repeat(8_000)));
  assert.ok(log.readAfter(undefined).length < 70);
  assert.deepEqual(
    log.readAfter("1-1599").map(({ id }) => id),
    ["1-1600"],
  );
});

test("a listener hears each line until it leaves", () => {
  const log = new FunctionLog(1);
  const heard: string[] = [];
  const leave = log.listen(({ line: { text } }) => heard.push(text));
  log.append(line("a"));
  leave();
  log.append(line("b"));
  assert.deepEqual(heard, ["a"]);
});

test("lines are put together from their pieces, also the last one without an end; long ones are cut", async () => {
  const stream = new PassThrough();
  const lines: string[] = [];
  readOutput(
    stream,
    (text) => lines.push(text),
    () => assert.fail("nothing is left out"),
  );
  for (const piece of ["one\ntw", "o\n", "ü".repeat(9_000), "\nlast"]) stream.write(piece.replaceAll("\\\n", "\n"));
  stream.end();
  await new Promise((resolve) => stream.once("close", resolve));
  assert.deepEqual(
    lines.map(({ length }) => length),
    [3, 3, 8_193, 4],
  );
});

test("what comes too fast is left out and counted", async () => {
  const stream = new PassThrough();
  let [lines, dropped] = [0, 0];
  readOutput(
    stream,
    () => lines++,
    (bytes) => {
      dropped += bytes;
    },
  );
  for (let i = 0; i < 100; i++) stream.write("x\n".repeat(500));
  stream.end();
  await new Promise((resolve) => stream.once("close", resolve));
  assert.ok(lines <= 251);
  assert.equal(lines * 2 + dropped, 100_000);
});
