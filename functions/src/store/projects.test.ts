import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Repository } from "../source/repository.ts";
import { DataDir } from "./data-dir.ts";
import { Projects } from "./projects.ts";

const UNKNOWN = { code: "unknown_project" };

async function makeProjects(t: TestContext): Promise<Projects> {
  const folder = await mkdtemp(join(tmpdir(), "projects-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const dataDir = new DataDir(folder);
  await dataDir.open();
  return new Projects(dataDir, { first: 1000, count: 2 });
}

function repositoryOf(project: string): Repository {
  return { project, url: `file:///${project}`, identity: project, isLocal: true };
}

test("a project that is being deleted is not found, and has its user id until what ran of it has ended", async (t) => {
  const projects = await makeProjects(t);
  const { uid } = await projects.claim(repositoryOf("a"));
  const ending = Promise.withResolvers<void>();
  const deleted = projects.delete("a", () => ending.promise);
  assert.throws(() => projects.get("a"), UNKNOWN);
  assert.deepEqual(projects.all, []);
  const again = projects.delete("a", () => assert.fail("what runs of it is ended once"));
  const back = projects.claim(repositoryOf("a"));
  const other = await projects.claim(repositoryOf("b"));
  assert.notEqual(other.uid, uid);
  ending.resolve();
  await Promise.all([deleted, again]);
  assert.equal((await back).uid, uid);
  assert.deepEqual(projects.get("a"), await back);
});

test("a project whose deletion fails is there as before", async (t) => {
  const projects = await makeProjects(t);
  const project = await projects.claim(repositoryOf("a"));
  await assert.rejects(
    projects.delete("a", () => Promise.reject(new Error("on purpose"))),
    /on purpose/,
  );
  assert.deepEqual(projects.get("a"), project);
  await projects.delete("a", async () => {});
  await assert.rejects(
    projects.delete("a", async () => {}),
    UNKNOWN,
  );
});
