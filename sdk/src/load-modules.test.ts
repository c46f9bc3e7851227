import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadModules, ModuleLoadError } from "./load-modules.ts";

let folder: string;

before(async () => {
  // Below the repo, so that its files find `genserverless`.
  folder = await mkdtemp(join(import.meta.dirname, "modules-"));
});

after(() => rm(folder, { recursive: true }));

async function aFolder(name: string, files: Record<string, string>): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text);
  return path;
}

function moduleNamed(name: string): string {
  return `import { defineServer } from "genserverless"; export default defineServer({ name: "${name}", version: 1, init: () => 0 });`;
}

test("loads every module of every folder, and passes tests and hidden files over", async () => {
  const one = await aFolder("one", {
    "a.ts": moduleNamed("a"),
    "a.test.ts": "throw 1",
    "_draft.ts": "throw 1",
    "read.md": "",
  });
  const two = await aFolder("two", { "b.js": moduleNamed("b"), "c.mjs": moduleNamed("c") });
  assert.deepEqual([...(await loadModules([one, two])).keys()], ["supervisor", "a", "b", "c"]);
});

test("names the file that is no module, that does not load, or whose name is taken", async () => {
  const refusals: [files: Record<string, string>, message: RegExp][] = [
    [{ "plain.ts": "export default {};" }, /plain\.ts: its default export is not made by defineServer$/],
    [{ "none.ts": "export const a = 1;" }, /none\.ts: its default export/],
    [{ "broken.ts": "import 'no-such-package';" }, /broken\.ts: .*no-such-package/],
    [{ "bad.ts": moduleNamed("a/b") }, /bad\.ts: module: name must be/],
    [{ "a.ts": moduleNamed("same"), "b.ts": moduleNamed("same") }, /b\.ts: the name "same" is taken by .*a\.ts$/],
    [{ "readme.md": "", "_draft.ts": moduleNamed("draft") }, /^no module in MODULES_DIR /],
  ];
  for (const [index, [files, message]] of refusals.entries()) {
    const path = await aFolder(`refused-${index}`, files);
    await assert.rejects(
      loadModules([path]),
      (error) => error instanceof ModuleLoadError && message.test(error.message),
    );
  }
  await assert.rejects(
    loadModules([join(folder, "nowhere")]),
    /^ModuleLoadError: MODULES_DIR: .*nowhere cannot be read/,
  );
});
