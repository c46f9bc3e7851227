import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { composeConfig } from "./compose.ts";
import { renderConfig } from "./render.ts";

const local = { bind: "127.0.0.1:8080", statsBind: "127.0.0.1:8404", apis: ["127.0.0.1:20001", "127.0.0.1:20002"] };

async function checkConfig(text: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "haproxy-"));
  const file = join(folder, "haproxy.cfg");
  await writeFile(file, text);
  const { stderr } = await promisify(execFile)("haproxy", ["-c", "-f", file]);
  await rm(folder, { recursive: true });
  assert.doesNotMatch(stderr, /WARNING/);
}

test("names every api of npm start", () => {
  const text = renderConfig(local);
  assert.match(text, /^ {2}server api1 127\.0\.0\.1:20001$/m);
  assert.match(text, /^ {2}server api2 127\.0\.0\.1:20002$/m);
  assert.doesNotMatch(text, /resolvers/);
});

test("leaves Docker Compose's apis to its resolver", () => {
  assert.match(composeConfig, /^ {2}server-template api 1-20 api:3000 resolvers docker init-addr none$/m);
});

test("haproxy accepts both without a warning, and that of the functions' door", async () => {
  await checkConfig(renderConfig(local));
  await checkConfig(composeConfig);
  await checkConfig(await readFile(new URL("../functions-door.cfg", import.meta.url), "utf8"));
});

test("refuses a placeholder that it does not know", () => {
  assert.throws(() => renderConfig(local, "bind {{port}}"), /unknown placeholder \{\{port\}\}/);
});

test("haproxy.cfg is what the template renders to for Docker Compose", async () => {
  const committed = await readFile(new URL("../haproxy.cfg", import.meta.url), "utf8");
  assert.equal(committed, composeConfig, "run: node haproxy/src/compose.ts > haproxy/haproxy.cfg");
});
