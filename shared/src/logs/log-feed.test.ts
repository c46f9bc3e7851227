import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import { until } from "../../../test/tools/until.ts";
import { ScriptBench } from "../cluster/scripts.test-support.ts";
import type { LogEntry } from "./log-entry.ts";
import { LogFeed } from "./log-feed.ts";

const bench = new ScriptBench();
const SOON = { withinMs: 10_000 };

before(() => bench.start());
after(async () => {
  await bench.stop();
  assertNoChildLeft();
});

function write(msg: string, level = "info"): Promise<string> {
  return bench.link.call("xadd", bench.keys.logs, "*", "l", JSON.stringify({ level, msg, node: "test" }));
}

function aReader() {
  const told: string[] = [];
  return { told, onEntry: ({ msg }: LogEntry) => void told.push(msg) };
}

test("whoever comes later is told the past and what follows once, though the look for all is still behind", async () => {
  const feed = new LogFeed(bench.link, bench.keys);
  const [first, late, fresh] = [aReader(), aReader(), aReader()];
  await write("before");
  const leaves = [await feed.subscribe({}, first.onEntry)];
  await write("one");
  leaves.push(await feed.subscribe({ tail: 5 }, late.onEntry), await feed.subscribe({}, fresh.onEntry));
  assert.deepEqual(late.told, ["before", "one"]);
  await write("two");
  await until(() => [first, late, fresh].every(({ told }) => told.at(-1) === "two"), SOON);
  for (const leave of leaves) leave();
  assert.deepEqual([first.told, late.told, fresh.told], [["one", "two"], ["before", "one", "two"], ["two"]]);
});

test("a reader who comes as the last one leaves is told each entry once, and the one who left nothing", async () => {
  const feed = new LogFeed(bench.link, bench.keys);
  const [gone, next] = [aReader(), aReader()];
  const leave = await feed.subscribe({}, gone.onEntry);
  leave();
  leave();
  const leaveNext = await feed.subscribe({}, next.onEntry);
  for (let number = 0; number < 250; number++) await write(`${number}`);
  await until(() => next.told.at(-1) === "249", SOON);
  leaveNext();
  assert.deepEqual(
    next.told,
    Array.from({ length: 250 }, (_, number) => `${number}`),
  );
  assert.deepEqual(gone.told, []);
});

test("more than a page is resumed after an entry, graver ones only, and what is no entry is passed over", async () => {
  const feed = new LogFeed(bench.link, bench.keys);
  const afterId = await write("known", "error");
  await bench.link.call("xadd", bench.keys.logs, "*", "l", "no JSON");
  for (let number = 0; number < 300; number++) await write(`${number}`, number % 3 === 0 ? "error" : "info");
  const { told, onEntry } = aReader();
  const leave = await feed.subscribe({ afterId, filter: { level: "warn" } }, onEntry);
  leave();
  assert.deepEqual(
    told,
    Array.from({ length: 100 }, (_, number) => `${number * 3}`),
  );
});
