import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { isAlive, waitUntilGone } from "./os-process.ts";
import { root } from "./settings.ts";

/** A clone whose only dependency is a package `node` that lies in a folder, so that installing it needs no network. */
let clone: string;

before(() => {
  clone = mkdtempSync(join(tmpdir(), "clone-"));
  mkdirSync(join(clone, "local"));
  mkdirSync(join(clone, "node-package"));
  cpSync(join(root, "local/with-node.cjs"), join(clone, "local/with-node.cjs"));
  const script = `#!/bin/sh\nexec ${process.execPath} "$@"\n`;
  writeFileSync(join(clone, "node-package/node.sh"), script, { mode: 0o755 });
  writeJson("node-package/package.json", { name: "node", version: "1.0.0", bin: { node: "node.sh" } });
  writeJson("package.json", { name: "clone", version: "1.0.0", dependencies: { node: "file:./node-package" } });
  execFileSync("npm", ["install", "--package-lock-only", "--offline"], { cwd: clone, stdio: "ignore" });
});

after(() => rmSync(clone, { recursive: true }));

function writeJson(file: string, content: object): void {
  writeFileSync(join(clone, file), JSON.stringify(content));
}

function withNode(args: string[], env: Record<string, string | undefined> = {}): ChildProcess {
  const command = [join(clone, "local/with-node.cjs"), ...args];
  return spawn(process.execPath, command, {
    env: { ...process.env, npm_lifecycle_event: undefined, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function run(...args: string[]): Promise<{ out: string; err: string; code: number | null }> {
  const child = withNode(args);
  const [out, err, [code]] = await Promise.all([
    text(child.stdout as NonNullable<typeof child.stdout>),
    text(child.stderr as NonNullable<typeof child.stderr>),
    once(child, "exit"),
  ]);
  return { out, err, code };
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [chunk] = await once(child.stdout as NonNullable<typeof child.stdout>, "data");
  return String(chunk).trim();
}

test("of two first runs at the same time one installs, and both go on", async () => {
  const runs = await Promise.all([run("-p", "1"), run("-p", "2")]);
  assert.deepEqual(
    runs.map(({ out, code }) => [out, code]),
    [
      ["1\n", 0],
      ["2\n", 0],
    ],
  );
  const said = runs.map(({ err }) => err).join("");
  assert.equal(said.match(/installing npm packages/g)?.length, 1);
  assert.equal(existsSync(join(clone, ".cache/install.lock")), false);
});

test("says nothing when everything is installed", async () => {
  assert.deepEqual(await run("-p", "process.argv.length", "--", "a", "b"), { out: "3\n", err: "", code: 0 });
});

test("installs again when the lock file names another version, and leaves the lock file as it is", async () => {
  writeJson("node-package/package.json", { name: "node", version: "1.0.1", bin: { node: "node.sh" } });
  const file = join(clone, "package-lock.json");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll('"1.0.0"', '"1.0.1"').replace('"1.0.1"', '"1.0.0"'));
  const lock = readFileSync(file, "utf8");
  const { err, code } = await run("-p", "1");
  assert.deepEqual([err, code], ["installing npm packages: npm install\n", 0]);
  assert.equal(readFileSync(file, "utf8"), lock);
  assert.equal((await run("-p", "1")).err, "");
});

test("a lock whose owner is dead is taken over", async () => {
  rmSync(join(clone, "node_modules"), { recursive: true });
  writeFileSync(join(clone, ".cache/install.lock"), "999999999");
  assert.equal((await run("-p", "1")).out, "1\n");
});

test("hands the exit code back", async () => {
  assert.equal((await run("-e", "process.exit(7)")).code, 7);
});

test("passes a signal on, and ends by it when its child does", async () => {
  const patient = withNode([
    "-e",
    "process.on('SIGINT', () => process.exit(5)); setInterval(() => {}, 99); console.log('up')",
  ]);
  await firstLine(patient);
  patient.kill("SIGINT");
  assert.deepEqual(await once(patient, "exit"), [5, null]);

  const plain = withNode(["-e", "setInterval(() => {}, 99); console.log('up')"]);
  await firstLine(plain);
  plain.kill("SIGTERM");
  assert.deepEqual(await once(plain, "exit"), [null, "SIGTERM"]);
});

test("stops its child when npm is killed", async () => {
  const source = `require('node:child_process').spawn(process.execPath, process.argv.slice(1), {stdio: 'inherit'})`;
  const program = "console.log(process.pid); setInterval(() => {}, 99)";
  const npm = spawn(process.execPath, ["-e", source, join(clone, "local/with-node.cjs"), "-e", program], {
    env: { ...process.env, npm_lifecycle_event: "start" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pid = Number(await firstLine(npm));
  assert.equal(isAlive(pid), true);
  npm.kill("SIGKILL");
  assert.equal(await waitUntilGone(pid, 5_000), true);
});
