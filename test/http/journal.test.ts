import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { EventReader } from "../tools/event-reader.ts";
import { until } from "../tools/until.ts";
import { DIARIES, makeDiaries, pathOf, type Shown, SOON, sequences } from "./diaries.ts";
import { assertProblem } from "./problem.ts";

/** What can be read of a journal over HTTP. */

const { cluster, read, stateAt, write, tally } = makeDiaries();
const { client } = cluster;

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

/** Changes what Redis has of a journal, as only another hand can. */
async function tamper(pid: string, act: (redis: ReturnType<typeof cluster.redis.connect>, key: string) => unknown) {
  const redis = cluster.redis.connect();
  try {
    const [key = ""] = await redis.keys(`*journal:${pid}`);
    await act(redis, key);
  } finally {
    redis.disconnect();
  }
}

test("the journal is read in order, page by page", async () => {
  const pid = "diary/paged";
  const before = Date.now();
  const ids = await write(pid, "a", "b", "c", "d", "e");
  const { events, ...whole } = await read(pid);
  assert.deepEqual(whole, { pid, first: 1, last: 5 });
  assert.deepEqual(
    events.map(({ at: _, ...event }) => event),
    ["a", "b", "c", "d", "e"].map((data, index) => ({
      sequence: index + 1,
      type: "wrote",
      data,
      version: 1,
      messageId: ids[index],
    })),
  );
  for (const { at } of events) assert.ok(Math.abs(Date.parse(at) - before) < 60_000, at);
  const page = await read(pid, "?from=2&limit=2");
  assert.deepEqual([sequences(page), page.next], [[2, 3], 4]);
  const rest = await read(pid, "?from=4&limit=2");
  assert.deepEqual([sequences(rest), rest.next], [[4, 5], undefined]);
  assert.deepEqual(sequences(await read(pid, "?from=6")), []);
});

test("a page of large events is short, and the next one goes on", async () => {
  const pid = "diary/large";
  for (let time = 0; time < 36; time++) {
    await write(pid, "x".repeat(500_000));
    await client.call(pid, { strike: 0 });
  }
  const page = await read(pid, "?limit=1000");
  assert.ok(page.events.length < 72 && page.next === page.events.length + 1, String(page.next));
  const rest = await read(pid, `?limit=1000&from=${page.next}`);
  assert.deepEqual(
    [...sequences(page), ...sequences(rest)],
    Array.from({ length: 72 }, (_, index) => index + 1),
  );
});

test("the state of an entity is shown as its events have made it", async () => {
  const pid = "diary/shown";
  await client.call(pid, "pages");
  const empty = await client.get(`/v1/processes/${pid}?state=true`);
  assert.deepEqual([empty.status, empty.body["state"], empty.body["sequence"]], [200, [], undefined]);
  await write(pid, "a", "b", "c", "d");
  const { body } = await client.get(`/v1/processes/${pid}?state=true`);
  assert.deepEqual([body["state"], body["sequence"]], [["a", "b", "c", "d"], 4]);
  const listed = await client.get("/v1/processes?module=diary");
  const found = (listed.body["processes"] as { pid: string; sequence?: number }[]).find((each) => each.pid === pid);
  assert.equal(found?.sequence, 4);
});

test("the state is shown as it was at a sequence and at a time", async () => {
  const pid = "diary/then";
  await write(pid, "a", "b", "c", "d");
  await client.call(pid, { strike: 0 });
  const { events } = await read(pid);
  for (const [at, state] of [
    [0, []],
    [1, ["a"]],
    [3, ["a", "b", "c"]],
    [4, ["a", "b", "c", "d"]],
    [5, ["b", "c", "d"]],
  ] as const) {
    const shown = await stateAt(pid, at);
    assert.deepEqual(shown, { pid, sequence: at, at: events[at - 1]?.at ?? null, state });
    if (at > 0) assert.equal(((await stateAt(pid, shown["at"] as string))["sequence"] as number) >= at, true);
  }
  const now = await client.get(pathOf(pid, "/state"));
  assert.deepEqual([now.body["sequence"], now.body["state"]], [5, ["b", "c", "d"]]);
  const early = new Date(Date.parse(events[0]?.at ?? "") - 1).toISOString();
  assert.deepEqual(await stateAt(pid, early), { pid, sequence: 0, at: null, state: [] });
  assert.equal((await stateAt(pid, "2999-01-01T00:00:00+01:00"))["sequence"], 5);
  assertProblem(await client.get(pathOf(pid, "/state?at=6")), "400 invalid_request");
});

test("what was cut is 410 and names the first event that is kept; the snapshot before it is the earliest state", async () => {
  const pid = "tally/cut";
  for (let time = 0; time < 12; time++) await tally(pid, 10);
  const { first, last, events } = await read(pid, "?limit=1000");
  assert.equal(last, 120);
  assert.ok(first > 1 && last - first >= 30 && (first - 1) % 10 === 0, String(first));
  assert.deepEqual([events[0]?.sequence, events.length], [first, last - first + 1]);
  for (const path of [pathOf(pid, "?from=1"), pathOf(pid, `/state?at=${first - 2}`), pathOf(pid, "/stream?from=1")]) {
    const answer = await client.get(path);
    assertProblem(answer, "410 compacted");
    assert.equal(answer.body["first"], first);
  }
  assertProblem(await client.get(pathOf(pid, "/state?at=2000-01-01T00:00:00Z")), "410 compacted");
  for (const at of [first - 1, first, first + 5, last]) {
    assert.deepEqual((await stateAt(pid, at))["state"], { total: at });
  }
  assert.deepEqual((await client.get(`/v1/processes/${pid}?state=true`)).body["state"], { total: 120 });
});

test("no process, no journal and malformed questions are refused by name", async () => {
  await client.start("notebook", "plain");
  for (const rest of ["", "/state", "/stream"]) {
    assertProblem(await client.get(pathOf("diary/nobody", rest)), "404 no_process");
    assertProblem(await client.get(pathOf("notebook/plain", rest)), "409 no_journal");
  }
  await write("diary/there", "a");
  for (const rest of [
    "?from=0",
    "?limit=0",
    "?limit=1001",
    "?at=1",
    "/state?at=yesterday",
    "/state?at=-1",
    "/stream?from=x",
  ]) {
    assertProblem(await client.get(pathOf("diary/there", rest)), "400 invalid_request");
  }
  assertProblem(await client.get(pathOf("diary/there", "/stream?from=3")), "400 invalid_request");
  const odd = await fetch(`${cluster.urls[0]}${pathOf("diary/there", "/stream")}`, {
    headers: { "last-event-id": "1-0" },
  });
  assert.equal(odd.status, 400);
});

test("a torn, missing or unknown event is named, and nothing else is affected", async () => {
  await write("diary/missing", "a", "b");
  await tamper("diary/missing", (redis, key) => redis.xdel(key, "1-0"));
  await write("diary/torn", "a");
  await tamper("diary/torn", async (redis, key) => {
    await redis.xdel(key, "1-0");
    await redis.del(key);
    await redis.xadd(key, "1-0", "t", "wrote", "d", "{", "v", "1", "a", "1", "m", "x");
  });
  for (const [pid, event] of [
    ["diary/missing", /event 1 .* is missing/],
    ["diary/torn", /event 1 .* torn/],
  ] as const) {
    for (const path of [pathOf(pid), pathOf(pid, "/state"), `/v1/processes/${pid}?state=true`]) {
      const answer = await client.get(path);
      assertProblem(answer, "500 journal_broken");
      assert.match(String(answer.body["detail"]), event, path);
    }
    assert.equal((await client.get(`/v1/processes/${pid}`)).status, 200);
  }
  await using events = await EventReader.open(`${cluster.urls[0]}${pathOf("diary/torn", "/stream")}`);
  const { event, data } = await events.next(SOON);
  assert.equal(event, "ended");
  assert.match(String(data["reason"]), /event 1 .* torn/);
  await using commits = await EventReader.open(`${cluster.urls[0]}/v1/processes/diary/torn/events`);
  assert.equal((await commits.next(SOON)).data["state"], null);
});

test("an event that never ends costs its reader a refusal, and nobody else anything", async () => {
  await write("diary/endless", "endless");
  await write("diary/short", "fine");
  const api = await cluster.addApi({ DIARY_NEVER_ENDS: "1", RECOVERY_TIMEOUT_MS: "2500" });
  await cluster.untilReady();
  const url = api.url ?? "";
  const slow = client.get(pathOf("diary/endless", "/state"), { url });
  await until(async () => (await client.get("/v1/processes/diary/short", { url })).status === 200, SOON);
  assertProblem(await slow, "500 callback_timeout");
  assert.deepEqual((await client.get(pathOf("diary/short", "/state"), { url })).body["state"], ["fine"]);
  await api.stop();
});

test("a new version is tried on every journal: how many it can use, how many need all of it, and where it fails", async () => {
  await client.stop("diary/endless");
  await write("diary/tried", "a", "b", "c", "d");
  await client.call("diary/tried", { strike: 1 });
  const api = await cluster.addApi({ MODULES_DIR: join(DIARIES, "next") });
  await cluster.untilReady();
  const path = "/v1/modules/diary/migration?dryRun";
  const { body } = await client.get(path, { url: api.url ?? "" });
  const failures = body["failures"] as { pid: string; fromVersion: number; event?: number; error: string }[];
  const found = failures.find(({ pid }) => pid === "diary/tried");
  assert.deepEqual([found?.fromVersion, found?.event], [1, 5]);
  assert.match(found?.error ?? "", /^event 5 of diary\/tried, struck of version 1: .*no event struck/);
  const broken = failures.find(({ pid }) => pid === "diary/missing");
  assert.equal(broken?.event, 1);
  const { examined, migratable, failed, whole, current } = body as Record<string, number>;
  assert.equal(examined, (migratable ?? 0) + (failed ?? 0));
  assert.equal(current, 0);
  assert.ok((whole ?? 0) > 0 && (whole ?? 0) < (migratable ?? 0), JSON.stringify(body));
  const same = (await client.get(path, { url: cluster.urls[0] ?? "" })).body;
  assert.deepEqual([same["current"], same["whole"]], [same["examined"], 0]);
  assert.deepEqual((same["failures"] as { pid: string }[]).map(({ pid }) => pid).sort(), [
    "diary/missing",
    "diary/torn",
  ]);
  await api.stop();
});

test("an exported journal is the same one where it is imported, cut or whole, and goes on", async () => {
  await tally("tally/moved", 95);
  for (let time = 0; time < 5; time++) await tally("tally/moved", 10);
  await write("diary/moved", "a", "b", "c", "d");
  await client.call("diary/begun", "pages");
  for (const pid of ["tally/moved", "diary/moved", "diary/begun"]) {
    const copy = pid.replace("/", "/copy-of-");
    const { body: document } = await client.get(`/v1/processes/${pid}/export`);
    assert.equal(document["state"], null);
    const imported = await client.request("POST", "/v1/processes/import", { document, pid: copy });
    assert.equal(imported.status, 201, JSON.stringify(imported.body));
    const [{ pid: _, ...original }, { pid: __, ...same }] = [
      (await client.get(pathOf(pid, "?limit=1000"))).body,
      (await client.get(pathOf(copy, "?limit=1000"))).body,
    ];
    assert.deepEqual(same, original);
    assert.deepEqual(
      (await client.get(pathOf(copy, "/state"))).body["state"],
      (await client.get(pathOf(pid, "/state"))).body["state"],
    );
    const { body: again } = await client.get(`/v1/processes/${copy}/export`);
    assert.deepEqual(again["journal"], document["journal"]);
  }
  await tally("tally/copy-of-moved", 1);
  assert.equal((await client.call("tally/copy-of-moved", "total")).body["reply"], 146);
  assert.deepEqual((await client.call("diary/copy-of-moved", "pages")).body["reply"], ["a", "b", "c", "d"]);
  const { body: document } = await client.get("/v1/processes/diary/moved/export");
  const journal = document["journal"] as { events: Shown[] };
  const torn = { ...document, journal: { ...journal, events: journal.events.slice(1) } };
  const refused = await client.request("POST", "/v1/processes/import", { document: torn, pid: "diary/torn-copy" });
  assertProblem(refused, "400 invalid_request");
});
