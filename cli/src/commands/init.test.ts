import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runIn } from "../run.test-support.ts";

const folder = mkdtempSync(join(tmpdir(), "init-"));
after(() => rmSync(folder, { recursive: true }));

test("init writes the files of a project, and says how to go on", async () => {
  const shop = join(folder, "new", "shop");
  const { code, stdout, stderr } = await runIn({}, "init", shop);
  const names = [".eserveless.yaml", "functions.js", "package.json", "README.md"];
  assert.deepEqual([code, stdout], [0, names.map((name) => `${join(shop, name)}\n`).join("")]);
  assert.deepEqual(readdirSync(shop).toSorted(), names.toSorted());
  assert.match(stderr, /^next: cd \S+shop && git init && git add \. && git commit -m .* && genserverless deploy \.\n$/);
});

test("a file that is there is never written over, and nothing is written beside it", async () => {
  const taken = join(folder, "taken");
  mkdirSync(join(taken, ".git"), { recursive: true });
  writeFileSync(join(taken, "functions.js"), "mine");
  const { code, stdout, stderr } = await runIn({}, "init", taken);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /functions\.js in \S+taken: there already, nothing was written/);
  assert.deepEqual(readdirSync(taken).toSorted(), [".git", "functions.js"]);
  assert.equal(readFileSync(join(taken, "functions.js"), "utf8"), "mine");
  rmSync(join(taken, "functions.js"));
  assert.doesNotMatch((await runIn({}, "init", taken)).stderr, /git init/, "it is one already");
});

test("a folder that cannot be made is wrong usage", async () => {
  writeFileSync(join(folder, "file"), "");
  const { code, stderr } = await runIn({}, "init", join(folder, "file"));
  assert.deepEqual([code, /genserverless: E/.test(stderr)], [2, true], stderr);
});
