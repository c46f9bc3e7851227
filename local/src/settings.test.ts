import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { findFreePort, requireFreePort } from "./ports.ts";
import { help, readSettings } from "./settings.ts";

test("without any setting there are two of each on the usual ports", () => {
  const settings = readSettings({});
  assert.deepEqual(
    [settings.lbHost, settings.lbPort, settings.sysmonPort, settings.apiReplicas, settings.workerReplicas],
    ["127.0.0.1", 8080, 5984, 2, 2],
  );
  assert.equal(settings.redisUrl, undefined);
});

test("functions have a service of their own, unless there is one already or none is wanted", () => {
  const kind = (env: Record<string, string>) => readSettings(env).functions.kind;
  const given = { FUNCTIONS_URL: "http://127.0.0.1:3100", FUNCTIONS_TOKEN: "sixteen-characters" };
  assert.deepEqual([kind({}), kind(given), kind({ ...given, FUNCTIONS: "off" })], ["own", "given", "off"]);
});

test("a bad value is an error that names the setting", () => {
  assert.throws(() => readSettings({ API_REPLICAS: "none" }), /API_REPLICAS must be a whole number/);
  assert.throws(() => readSettings({ REDIS_MAXMEMORY: "lots" }), /REDIS_MAXMEMORY must be a size like 512mb/);
  assert.throws(() => readSettings({ APPENDFSYNC: "no" }), /APPENDFSYNC must be everysec or always/);
  assert.throws(() => readSettings({ REDIS_URL: "localhost" }), /REDIS_URL must be redis:\/\//);
  assert.throws(() => readSettings({ PARTITIONS: "0" }), /PARTITIONS/);
  assert.throws(() => readSettings({ SYSMON_TOKEN: "short" }), /SYSMON_TOKEN must be 16 to 512/);
  assert.throws(() => readSettings({ ALLOWED_HOSTS: "http://a.example" }), /ALLOWED_HOSTS must be names/);
  assert.throws(() => readSettings({ FUNCTIONS: "no" }), /FUNCTIONS must be on or off/);
  assert.throws(() => readSettings({ FUNCTIONS_TOKEN: "short" }), /FUNCTIONS_TOKEN must be 16 to 512/);
  assert.throws(() => readSettings({ FUNCTIONS_URL: "http://127.0.0.1:3100" }), /FUNCTIONS_URL needs FUNCTIONS_TOKEN/);
  assert.throws(() => readSettings({ LOG_LEVEL: "loud" }), /LOG_LEVEL must be info or/);
});

test("the help names every setting", () => {
  for (const name of ["LB_PORT", "REDIS_URL", "DATA_DIR", "APPENDFSYNC", "FUNCTIONS_GIT_HOSTS"])
    assert.match(help, new RegExp(name));
});

test("a busy port is an error that names port and setting", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await assert.rejects(
    requireFreePort("LB_PORT", "127.0.0.1", port),
    new RegExp(`port ${port} \\(LB_PORT\\) is in use`),
  );
  server.close();
  await once(server, "close");
  await requireFreePort("LB_PORT", "127.0.0.1", port);
});

test("an address that is not this machine's is an error that names the setting", async () => {
  await assert.rejects(requireFreePort("LB_PORT", "192.0.2.1", 1234), /LB_PORT cannot be listened on/);
});

test("free ports lie below those of outgoing connections", async () => {
  const ports = await Promise.all(Array.from({ length: 20 }, findFreePort));
  assert.equal(
    ports.every((port) => port >= 20_000 && port < 32_000),
    true,
  );
});
