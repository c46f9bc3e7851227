import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findFreePort } from "@genserverless/local/ports.ts";
import { request } from "undici";
import { assertNoChildLeft, nodeChild } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { SECRET } from "./web-app.ts";

/** GS-9: samples/web-app, and the acceptance script of GenServerless on it. */

const port = await findFreePort();
const url = `http://127.0.0.1:${port}`;
const REMOTE_MODULES = `${url}/genserverless`;
const cluster = new TestCluster({ env: { REMOTE_MODULES, REMOTE_SECRET: SECRET } });
const { client } = cluster;
const SOON = { withinMs: 20_000 };
const app = nodeChild({
  name: "sample",
  script: join(import.meta.dirname, "../../samples/web-app/index.ts"),
  env: { PORT: String(port), REMOTE_SECRET: SECRET },
});

before(async () => {
  await cluster.start();
  await app.start();
  await app.untilLine(/genserverless$/, { withinMs: 60_000 });
});
after(async () => {
  await cluster.stop();
  await app.stop();
  assertNoChildLeft();
});

test("GS-9 the acceptance script of GenServerless runs on the sample", async () => {
  const start = () => client.start("adder", "s", { args: 100, ifExists: "return" });
  await until(async () => (await start()).status < 300, SOON);
  for (const value of [10, 20]) assert.equal((await client.cast("adder/s", value)).status, 202);
  assert.equal((await client.call("adder/s", "total")).body["reply"], 130);
  assert.equal((await client.start("adder", "s")).status, 409);
  assert.equal((await client.stop("adder/s")).status, 200);
  const worker = cluster.workers[0];
  const lines = [
    ["adder init", "initial", 100],
    ["adder cast", "acc", 110],
    ["adder cast", "acc", 130],
    ["adder terminate", "final", 130],
  ] as const;
  for (const [text, field, value] of lines) {
    await worker?.untilRecord(({ msg, [field]: told }) => msg === text && told === value, SOON);
  }
  assert.equal((await client.start("adder", "s", { args: 1 })).status, 201);
  assert.equal((await client.call("adder/s", "total")).body["reply"], 1);
});

test("GS-9 the sample's other routes are its own", async () => {
  assert.equal((await request(url)).statusCode, 200);
  const missing = await request(`${url}/nowhere`);
  assert.deepEqual([missing.statusCode, await missing.body.json()], [404, { errors: { detail: "Not Found" } }]);
});
