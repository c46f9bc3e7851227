import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { loadScripts } from "../redis/scripts.ts";
import { checkPublished, readPublishedLua } from "./mailbox.ts";

const published = createRequire(import.meta.url)("bullmq/dist/cjs/scripts/index.js");

test("the installed BullMQ publishes the scripts that were tested", () => {
  assert.deepEqual(Object.keys(readPublishedLua()).sort(), [
    "addDelayedJob",
    "addStandardJob",
    "moveToActive",
    "moveToFinished",
    "removeJob",
  ]);
});

test("a script with other text, another number of keys, or none at all is refused by name", () => {
  const { moveToActive } = published;
  const other = { ...moveToActive, content: `${moveToActive.content}\n` };
  assert.throws(
    () => checkPublished({ ...published, moveToActive: other }, "7.0.0"),
    /moveToActive of bullmq 7\.0\.0 is not/,
  );
  const more = { ...moveToActive, keys: 12 };
  assert.throws(() => checkPublished({ ...published, moveToActive: more }, "7.0.0"), /12 keys, .*expected 11 keys/);
  assert.throws(() => checkPublished({}, "7.0.0"), /publishes no script addStandardJob/);
});

test("every script is assembled whole, with its flags", () => {
  const scripts = Object.values(loadScripts(readPublishedLua()));
  assert.equal(scripts.length, 28);
  for (const { name, source } of scripts) {
    assert.doesNotMatch(source, /^--@/m, `${name} has an include that was not found`);
    const adds = ["enqueue", "import", "start"].includes(name);
    assert.match(source, adds ? /^#!lua\n/ : /^#!lua flags=allow-oom\n/);
  }
});
