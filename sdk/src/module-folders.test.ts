import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { ModuleFolders, type ModuleMap } from "./module-folders.ts";

let base: string;
let made = 0;

before(async () => {
  // Below the repo, so that its files find `genserverless`.
  base = await mkdtemp(join(import.meta.dirname, "folders-"));
});

after(() => rm(base, { recursive: true }));

/** A module whose state at the start is `value`, an expression. */
function moduleText(name: string, value: string, imports = ""): string {
  const define = `defineServer({ name: "${name}", version: 1, init: () => ${value} })`;
  return `import { defineServer } from "genserverless"; ${imports}\nexport default ${define};`;
}

class Folder {
  readonly path: string;
  readonly changes: string[][] = [];
  readonly errors: string[] = [];
  readonly folders: ModuleFolders;
  #writes = 0;

  constructor(path: string) {
    this.path = path;
    this.folders = new ModuleFolders([path], {
      everyMs: 20,
      onChange: (_modules, changed) => this.changes.push([...changed]),
      onError: (error) => this.errors.push(error.message),
    });
  }

  /** Writes a file; its time differs from all before, however coarse the clock of the file system is. */
  async write(name: string, text: string): Promise<void> {
    const path = join(this.path, name);
    await writeFile(`${path}~`, text);
    await utimes(`${path}~`, 1_000_000_000, 1_000_000_000 + ++this.#writes);
    await rename(`${path}~`, path);
  }

  remove(name: string): Promise<void> {
    return rm(join(this.path, name));
  }

  /** What the module's init makes. */
  valueOf(name: string, modules: ModuleMap = this.folders.modules): unknown {
    return modules.get(name)?.init(undefined, {} as never);
  }
}

async function watched(t: TestContext, files: Record<string, string>): Promise<Folder> {
  const path = join(base, String(++made));
  await mkdir(path);
  const folder = new Folder(path);
  for (const [name, text] of Object.entries(files)) await folder.write(name, text);
  await folder.folders.start();
  t.after(() => folder.folders.stop());
  return folder;
}

function until(t: TestContext, fact: () => void): Promise<void> {
  return t.waitFor(fact, { interval: 10, timeout: 10_000 });
}

test("loads a module again when its file changes, in a new map", async (t) => {
  const folder = await watched(t, { "a.ts": moduleText("a", "1"), "b.ts": moduleText("b", "1") });
  const earlier = folder.folders.modules;
  await folder.write("a.ts", moduleText("a", "2"));
  await until(t, () => assert.equal(folder.valueOf("a"), 2));
  assert.deepEqual([folder.valueOf("a", earlier), folder.valueOf("b", earlier)], [1, 1]);
  assert.equal(folder.folders.modules.get("b"), earlier.get("b"));
  await folder.write("a.ts", moduleText("a", "3"));
  await until(t, () => assert.equal(folder.valueOf("a"), 3));
  assert.deepEqual([folder.changes, folder.errors], [[["a"], ["a"]], []]);
});

test("loads what imports a changed file, over several steps, and nothing else", async (t) => {
  await mkdir(join(base, `${made + 1}`, "lib"), { recursive: true });
  const folder = new Folder(join(base, String(++made)));
  await folder.write("lib/deep.ts", "export const deep = 1;");
  await folder.write("lib/data.json", '{"n":1}');
  await folder.write("_shared.ts", 'export { deep } from "./lib/deep.ts";');
  await folder.write("a.ts", moduleText("a", "deep", 'import { deep } from "./_shared.ts";'));
  await folder.write("b.ts", moduleText("b", "1"));
  const json = 'import data from "./lib/data.json" with { type: "json" };';
  await folder.write("c.ts", moduleText("c", "data.n", json));
  await folder.folders.start();
  t.after(() => folder.folders.stop());
  const b = folder.folders.modules.get("b");
  await folder.write("lib/deep.ts", "export const deep = 2;");
  await until(t, () => assert.equal(folder.valueOf("a"), 2));
  await folder.write("lib/data.json", '{"n":2}');
  await until(t, () => assert.equal(folder.valueOf("c"), 2));
  await folder.write("lib/deep.ts", "export const deep = 3;");
  await until(t, () => assert.equal(folder.valueOf("a"), 3));
  assert.equal(folder.folders.modules.get("b"), b);
  assert.deepEqual(folder.changes, [["a"], ["c"], ["a"]]);
});

test("takes a file that appears, and keeps the module of one that is removed", async (t) => {
  const folder = await watched(t, { "a.ts": moduleText("a", "1") });
  await folder.write("b.ts", moduleText("b", "1"));
  await until(t, () => assert.equal(folder.valueOf("b"), 1));
  await folder.remove("a.ts");
  await folder.write("c.ts", moduleText("c", "1"));
  await until(t, () => assert.equal(folder.valueOf("c"), 1));
  assert.equal(folder.valueOf("a"), 1);
  await folder.write("a.ts", moduleText("a", "2"));
  await until(t, () => assert.equal(folder.valueOf("a"), 2));
  assert.deepEqual([folder.changes, folder.errors], [[["b"], ["c"], ["a"]], []]);
});

test("a broken file leaves its module as it was, is told once, and is taken when it is mended", async (t) => {
  const folder = await watched(t, { "a.ts": moduleText("a", "1"), "b.ts": moduleText("b", "1") });
  await folder.write("a.ts", "export default {");
  await until(t, () => assert.equal(folder.errors.length, 1));
  assert.match(folder.errors[0] ?? "", /a\.ts: /);
  await folder.write("b.ts", moduleText("b", "2"));
  await until(t, () => assert.equal(folder.valueOf("b"), 2));
  await folder.write("a.ts", 'throw new Error("at load");');
  await until(t, () => assert.match(folder.errors[1] ?? "", /a\.ts: at load$/));
  await folder.write("a.ts", "export default {};");
  await until(t, () => assert.match(folder.errors[2] ?? "", /not made by defineServer$/));
  assert.equal(folder.valueOf("a"), 1);
  await folder.write("a.ts", moduleText("a", "2"));
  await until(t, () => assert.equal(folder.valueOf("a"), 2));
  assert.equal(folder.errors.length, 3);
});

test("a file whose import is missing is taken when that comes", async (t) => {
  const folder = await watched(t, { "b.ts": moduleText("b", "1") });
  await folder.write("a.ts", moduleText("a", "later", 'import { later } from "./_later.ts";'));
  await until(t, () => assert.match(folder.errors[0] ?? "", /a\.ts: .*_later\.ts/));
  await folder.write("_later.ts", "export const later = 1;");
  await until(t, () => assert.equal(folder.valueOf("a"), 1));
  await folder.write("_later.ts", "export const later = 2;");
  await until(t, () => assert.equal(folder.valueOf("a"), 2));
});

test("a name belongs to the file that brought it, until that is gone", async (t) => {
  const folder = await watched(t, { "a.ts": moduleText("same", "1") });
  await folder.write("b.ts", moduleText("same", "2"));
  await until(t, () => assert.match(folder.errors[0] ?? "", /b\.ts: the name "same" is taken by .*a\.ts$/));
  assert.equal(folder.valueOf("same"), 1);
  await folder.remove("a.ts");
  await until(t, () => assert.equal(folder.valueOf("same"), 2));
  assert.equal(folder.errors.length, 1);
});

test("follows a folder whose content is swapped by a symbolic link", async (t) => {
  const path = join(base, String(++made));
  for (const version of ["1", "2"]) {
    await mkdir(join(path, `..v${version}`), { recursive: true });
    await writeFile(join(path, `..v${version}`, "a.ts"), moduleText("a", version));
  }
  await symlink("..v1", join(path, "..data"));
  await symlink("..data/a.ts", join(path, "a.ts"));
  const folder = new Folder(path);
  await folder.folders.start();
  t.after(() => folder.folders.stop());
  assert.equal(folder.valueOf("a"), 1);
  await symlink("..v2", join(path, "..next"));
  await rename(join(path, "..next"), join(path, "..data"));
  await rm(join(path, "..v1"), { recursive: true });
  await until(t, () => assert.equal(folder.valueOf("a"), 2));
});

test("a folder that cannot be read any more is told once, and its modules stay", async (t) => {
  const folder = await watched(t, { "a.ts": moduleText("a", "1") });
  await rename(folder.path, `${folder.path}-away`);
  await until(t, () => assert.match(folder.errors[0] ?? "", /cannot be read/));
  await rename(`${folder.path}-away`, folder.path);
  await folder.write("a.ts", moduleText("a", "2"));
  await until(t, () => assert.equal(folder.valueOf("a"), 2));
  assert.equal(folder.errors.length, 1);
});

test("refuses at the start what cannot be used, and is safe to stop twice and without a start", async () => {
  const path = join(base, String(++made));
  await mkdir(path);
  const folder = new Folder(path);
  await assert.rejects(folder.folders.load(), /^ModuleLoadError: no module in MODULES_DIR /);
  await folder.write("a.ts", "export default {};");
  await assert.rejects(folder.folders.start(), /a\.ts: its default export is not made by defineServer$/);
  await assert.rejects(new Folder(join(base, "nowhere")).folders.load(), /MODULES_DIR: .*nowhere cannot be read/);
  await folder.folders.stop();
  await folder.folders.stop();
});
