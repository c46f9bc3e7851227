import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RunStore } from "./run-store.ts";

const DAY_MS = 24 * 3_600_000;

async function makeStore(t: TestContext): Promise<{ store: RunStore; path: string }> {
  const path = await mkdtemp(join(tmpdir(), "runs-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return { store: new RunStore(path, DAY_MS), path };
}

async function listFiles(path: string): Promise<string[]> {
  const names = await readdir(path, { recursive: true });
  return names.filter((name) => name.endsWith(".json")).map((name) => join(path, name));
}

test("a run begins once", async (t) => {
  const { store } = await makeStore(t);
  assert.equal(await store.find("a"), undefined);
  await store.begin("a");
  await assert.rejects(store.begin("a"), { code: "EEXIST" });
  await store.end({ id: "a", status: "completed", durationMs: 3 });
  assert.deepEqual(await store.find("a"), { id: "a", status: "completed", durationMs: 3 });
  await assert.rejects(store.begin("a"), { code: "EEXIST" });
});

test("a run that has no end has died, also where a kill has left half a file", async (t) => {
  const { store, path } = await makeStore(t);
  await store.begin("half");
  assert.equal((await store.find("half"))?.status, "died");
  const [file = ""] = await listFiles(path);
  for (const text of ["", '{"id":"ha']) {
    await writeFile(file, text);
    assert.deepEqual(await store.find("half"), {
      id: "half",
      status: "died",
      error: "the functions service ended during the run",
    });
  }
});

test("every id has a file of its own", async (t) => {
  const { store, path } = await makeStore(t);
  const ids = [".", "..", "-", "~", "a", "A", "a.json", "a.json.new", "x".repeat(200)];
  for (const id of ids) await store.begin(id);
  for (const id of ids) await store.end({ id, status: "completed" });
  for (const id of ids) assert.deepEqual(await store.find(id), { id, status: "completed" });
  assert.equal((await listFiles(path)).length, ids.length);
});

test("a day after its end a run is forgotten", async (t) => {
  const { store, path } = await makeStore(t);
  for (const id of ["old", "new"]) await store.end({ id, status: "completed" });
  const old = (await listFiles(path)).find((file) => file.endsWith("/old.json")) ?? "";
  const now = Date.now();
  await utimes(old, new Date(now - DAY_MS - 1_000), new Date(now - DAY_MS - 1_000));
  for (let folder = 0; folder < RunStore.folders; folder++) await store.sweep(now);
  assert.deepEqual([await store.find("old"), (await store.find("new"))?.status], [undefined, "completed"]);
});
