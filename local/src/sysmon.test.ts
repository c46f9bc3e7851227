import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { nodeChild } from "../../test/tools/child.ts";
import { RedisServer } from "../../test/tools/redis-server.ts";
import { Terminal } from "../../test/tools/terminal.ts";

const SCRIPT = join(import.meta.dirname, "sysmon.ts");

async function buildFolder(t: { after(fn: () => unknown): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sysmon-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("opens the dashboard of the cluster that runs from DATA_DIR, and leaves with it", async (t) => {
  const folder = await buildFolder(t);
  const redis = new RedisServer({ password: "found-in-its-file" });
  await redis.start();
  t.after(() => redis.stop());
  await writeFile(join(folder, "lock"), "1 1 1");
  await writeFile(join(folder, "redis.conf"), `bind 127.0.0.1\nport ${redis.port}\n`);
  await writeFile(join(folder, "redis-password"), "found-in-its-file");
  const terminal = new Terminal({ command: [process.execPath, SCRIPT], env: { DATA_DIR: folder } });
  await terminal.start();
  t.after(() => terminal.stop());
  await terminal.untilShows(/^ genserverless {2}0 nodes {2}Redis \d[\s\S]*no nodes/, { withinMs: 20_000 });
  await terminal.type("q");
  await terminal.untilShows(/^left with 0$/m);
});

test("says so where no cluster runs from DATA_DIR", async (t) => {
  const folder = await buildFolder(t);
  const child = nodeChild({ name: "sysmon", script: SCRIPT, env: { DATA_DIR: folder } });
  await child.start();
  assert.equal((await child.untilExit()).code, 1);
  assert.deepEqual(child.stderr, [`npm run sysmon: no cluster runs from DATA_DIR ${folder}; begin one with npm start`]);
});
