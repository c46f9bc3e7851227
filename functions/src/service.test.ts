import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SettingError } from "@genserverless/shared/service/env.ts";
import { Events } from "@genserverless/shared/service/events.ts";
import { readFunctionsSettings } from "./config.ts";
import { FunctionsService } from "./service.ts";

async function makeService(t: { after(act: () => unknown): void }): Promise<FunctionsService> {
  const folder = await mkdtemp(join(tmpdir(), "functions-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const env = { FUNCTIONS_TOKEN: "sixteen-characters", FUNCTIONS_PORT: "0", FUNCTIONS_DIR: folder };
  return new FunctionsService(readFunctionsSettings(env), new Events());
}

test("starts and stops", async (t) => {
  const service = await makeService(t);
  await service.start();
  assert.equal((await fetch(`http://127.0.0.1:${service.port}/health`)).status, 200);
  await service.stop();
  await service.stop();
  assert.equal(service.port, undefined);
});

test("stops without start", async (t) => {
  const service = await makeService(t);
  await service.stop();
  await service.stop();
});

test("settings that are wrong are named", () => {
  assert.throws(
    () => readFunctionsSettings({}),
    new SettingError("FUNCTIONS_TOKEN, or FUNCTIONS_TOKEN_FILE, must be set, to 16 visible ASCII characters or more"),
  );
  const token = { FUNCTIONS_TOKEN: "sixteen-characters" };
  assert.throws(
    () => readFunctionsSettings({ ...token, FUNCTIONS_NETWORK: "maybe" }),
    /FUNCTIONS_NETWORK must be on or off/,
  );
  assert.deepEqual(readFunctionsSettings({ ...token, FUNCTIONS_GIT_HOSTS: "GitHub.com, git.example" }).gitHosts, [
    "github.com",
    "git.example",
  ]);
});
