import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEntry } from "@genserverless/shared/logs/log-entry.ts";
import { followLog } from "./log-follower.ts";
import { logEntry } from "./view/sample-model.test-support.ts";

/** A feed that cannot be read at first, as while Redis is away. */
function buildFeed(failures: number) {
  const readers = new Set<(entry: LogEntry) => void>();
  let left = failures;
  const subscribe = async (_options: object, onEntry: (entry: LogEntry) => void) => {
    if (left-- > 0) throw new Error("Redis cannot be reached");
    readers.add(onEntry);
    return () => void readers.delete(onEntry);
  };
  return { feed: { subscribe: subscribe as never }, readers };
}

test("tries again until the feed can be read, then tells its entries until it is ended", async (t) => {
  const { feed, readers } = buildFeed(3);
  const told: string[] = [];
  const end = followLog(feed, 1).subscribe({ filter: {} }, ({ msg }) => told.push(msg));
  await t.waitFor(() => assert.equal(readers.size, 1), { timeout: 10_000 });
  for (const tell of readers) tell(logEntry({ msg: "one" }));
  assert.deepEqual(told, ["one"]);
  end();
  end();
  assert.equal(readers.size, 0);
});

test("what is ended before it could begin never begins", async (t) => {
  const { feed, readers } = buildFeed(0);
  followLog(feed, 1).subscribe({ filter: {} }, () => {})();
  await t.waitFor(() => assert.equal(readers.size, 0));
  await new Promise(setImmediate);
  assert.equal(readers.size, 0);
});
