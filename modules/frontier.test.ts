import assert from "node:assert/strict";
import { test } from "node:test";
import { defineServer, noreply } from "genserverless";
import { createKit } from "genserverless/testing";
import frontier from "./frontier.ts";

const fetcher = defineServer({
  name: "fetcher",
  version: 1,
  init: () => [] as [ms: number, url: string][],
  casts: { fetch: (url, fetched, ctx) => noreply([...fetched, [ctx.now() - BEGIN, url as string]]) },
});
const BEGIN = Date.UTC(2030, 0, 1);

async function begin(perSecond: number) {
  const kit = createKit({ modules: [frontier, fetcher], startAt: BEGIN });
  await kit.start("fetcher", { key: "f" });
  const pid = await kit.start("frontier", { args: { fetcher: "fetcher/f", perSecond } });
  return { kit, pid, fetched: () => kit.state("fetcher/f") };
}

test("hands out so many urls of a host in a second, and holds up no other host", async () => {
  const { kit, pid, fetched } = await begin(2);
  await kit.cast(pid, { add: ["https://a.org/1", "https://a.org/2", "https://b.org/1", "https://a.org/3"] });
  assert.deepEqual(await kit.call(pid, "size"), { seen: 4, waiting: 4 });
  await kit.advance(10_000);
  assert.deepEqual(fetched(), [
    [0, "https://a.org/1"],
    [0, "https://b.org/1"],
    [500, "https://a.org/2"],
    [1_000, "https://a.org/3"],
  ]);
  assert.deepEqual(await kit.call(pid, "size"), { seen: 4, waiting: 0 });
});

test("hands out each url once, and keeps the pace for one that comes late", async () => {
  const { kit, pid, fetched } = await begin(1);
  await kit.cast(pid, { add: ["https://a.org", "https://a.org/", "https://A.org/"] });
  await kit.advance(400);
  await kit.cast(pid, { add: ["https://a.org/", "https://a.org/late"] });
  await kit.advance(10_000);
  assert.deepEqual(fetched(), [
    [0, "https://a.org/"],
    [1_000, "https://a.org/late"],
  ]);
});

test("goes on at its pace after a crash, and asleep in between", async () => {
  const { kit, pid, fetched } = await begin(0.01);
  await kit.cast(pid, { add: ["https://a.org/1", "https://a.org/2"] });
  await kit.advance(99_000);
  assert.equal(kit.isAwake(pid), false);
  await kit.crash();
  await kit.advance(1_000);
  assert.deepEqual(fetched(), [
    [0, "https://a.org/1"],
    [100_000, "https://a.org/2"],
  ]);
});

test("refuses what is no url", async () => {
  const { kit, pid } = await begin(1);
  await assert.rejects(kit.cast(pid, { add: ["https://a.org/", "not a url"] }), { code: "invalid_message" });
  await assert.rejects(kit.start("frontier", { args: { perSecond: 1 } }), { code: "init_failed" });
});
