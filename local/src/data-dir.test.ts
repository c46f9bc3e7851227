import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { DataDir } from "./data-dir.ts";
import { isAlive, readBirth } from "./os-process.ts";

function buildFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "data-dir-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function buildSleeper(t: TestContext): Promise<number> {
  const child = spawn("sleep", ["60"]);
  t.after(() => child.kill("SIGKILL"));
  await once(child, "spawn");
  return child.pid as number;
}

test("a folder that a live process has is refused by name", async (t) => {
  const folder = buildFolder(t);
  const sleeper = await buildSleeper(t);
  writeFileSync(join(folder, "lock"), `${sleeper} ${readBirth(sleeper)}`);
  await assert.rejects(
    new DataDir(folder).open(),
    new RegExp(`${folder} is in use by the cluster of process ${sleeper}`),
  );
});

test("a dead owner does not keep the folder, even when its pid lives on in another process", async (t) => {
  const folder = buildFolder(t);
  const sleeper = await buildSleeper(t);
  writeFileSync(join(folder, "lock"), `${sleeper} an-earlier-birth`);
  const dataDir = new DataDir(folder);
  assert.deepEqual(await dataDir.open(), []);
  await assert.rejects(new DataDir(folder).open(), /in use/);
  dataDir.close();
  dataDir.close();
  assert.equal(existsSync(join(folder, "lock")), false);
  await new DataDir(folder).open();
});

test("one of many that find the same dead owner gets the folder", async (t) => {
  const folder = buildFolder(t);
  writeFileSync(join(folder, "lock"), "999999999 never");
  const opened = await Promise.allSettled(Array.from({ length: 5 }, () => new DataDir(folder).open()));
  assert.equal(opened.filter(({ status }) => status === "fulfilled").length, 1);
});

test("what a dead npm start left running is ended, and nothing else", async (t) => {
  const folder = buildFolder(t);
  const left = await buildSleeper(t);
  const stranger = await buildSleeper(t);
  writeFileSync(join(folder, "children"), `${left} ${readBirth(left)} api-1\n${stranger} another-birth worker-1\n`);
  assert.deepEqual(await new DataDir(folder).open(), ["api-1"]);
  assert.equal(isAlive(left), false);
  assert.equal(isAlive(stranger), true);
});

test("the password is made once, for its owner only", async (t) => {
  const dataDir = new DataDir(buildFolder(t));
  await dataDir.open();
  const file = dataDir.passwordFile();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { mtimeMs } = statSync(file);
  assert.equal(statSync(dataDir.passwordFile()).mtimeMs, mtimeMs);
  assert.deepEqual(readdirSync(dataDir.path).sort(), ["lock", "logs", "redis", "redis-password"]);
});

test("a secret of which only an empty file was left is made anew", async (t) => {
  const folder = buildFolder(t);
  const dataDir = new DataDir(folder);
  await dataDir.open();
  for (const name of ["redis-password", "sysmon-token"]) writeFileSync(join(folder, name), "\n");
  const [file, token] = [dataDir.passwordFile(), dataDir.sysmonToken()];
  assert.match(token, /^[0-9a-f]{48}$/);
  assert.match(readFileSync(file, "utf8"), /^[0-9a-f]{48}$/);
  assert.equal(statSync(join(folder, "sysmon-token")).mode & 0o777, 0o600);
  assert.equal(dataDir.sysmonToken(), token);
});

test("the folder is its owner's only, also where it was there before; one that all users share is refused", async (t) => {
  const folder = buildFolder(t);
  const made = join(folder, "a", "b");
  await new DataDir(made).open();
  // Whoever functions run as passes through root's, to what is theirs.
  const ownMode = process.getuid?.() === 0 ? 0o711 : 0o700;
  assert.equal(statSync(made).mode & 0o777, ownMode);
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, "redis"), { mode: 0o755 });
  const dataDir = new DataDir(folder);
  await dataDir.open();
  assert.equal(statSync(folder).mode & 0o777, ownMode);
  for (const name of ["redis", "logs"]) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o700, name);
  for (const file of [dataDir.passwordFile(), dataDir.functionsTokenFile()])
    assert.equal(statSync(file).mode & 0o777, 0o600, file);
  const shared = join(folder, "shared");
  mkdirSync(shared);
  chmodSync(shared, 0o1777);
  await assert.rejects(new DataDir(shared).open(), /DATA_DIR cannot be used: .*shared is shared by all users/);
  assert.deepEqual(readdirSync(shared), []);
});

test("a folder that was deleted is not written to, nor closed for the cluster that has it since", async (t) => {
  const folder = buildFolder(t);
  const dataDir = new DataDir(folder);
  await dataDir.open();
  dataDir.writeChildren([{ pid: 1, birth: "b", name: "redis" }]);
  assert.equal(readFileSync(join(folder, "children"), "utf8"), "1 b redis\n");
  rmSync(folder, { recursive: true });
  assert.throws(() => dataDir.writeChildren([]), /is not this cluster's any more/);

  const next = new DataDir(folder);
  await next.open();
  dataDir.close();
  assert.throws(() => dataDir.writeChildren([]), /is not this cluster's any more/);
  next.writeChildren([]);
});
