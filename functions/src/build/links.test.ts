import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { checkLinks } from "./links.ts";

async function makeTree(t: TestContext, links: Record<string, string>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "links-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  await mkdir(join(path, "tree/lib"), { recursive: true });
  await mkdir(join(path, "tree-of-another"));
  await writeFile(join(path, "tree/lib/file"), "");
  for (const [name, target] of Object.entries(links)) await symlink(target, join(path, "tree", name));
  return join(path, "tree");
}

test("links within a build are right, also those that lead to nothing", async (t) => {
  await checkLinks(await makeTree(t, { file: "lib/file", "lib/up": "../lib", gone: "lib/gone", here: "." }));
});

test("a link out of a build is refused, also one that leads to nothing yet, and one through others", async (t) => {
  const links: Record<string, string>[] = [
    { out: "/etc/passwd" },
    { out: "../tree-of-another" },
    { "lib/out": "../../not-there" },
    { up: "..", "lib/out": "../up/nothing" },
    { out: "/nowhere/at/all" },
  ];
  for (const one of links) {
    await assert.rejects(checkLinks(await makeTree(t, one)), { code: "link_refused" }, JSON.stringify(one));
  }
});
