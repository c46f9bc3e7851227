import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import type { Redis } from "ioredis";
import { assertNoChildLeft } from "../tools/child.ts";
import type { Answer } from "../tools/cluster-client.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { assertProblem } from "./problem.ts";

/** Whatever is sent, the answer is a problem with its own code, and afterwards everything is as it was. */

const cluster = new TestCluster({ apis: 1, workers: 1, sessionTtlMs: 6_000, env: { DRAIN_MS: "50" } });
const { client } = cluster;
const SOON = { withinMs: 5_000 };
const CALL = "/v1/processes/accumulator/victim/call";
const CAST = "/v1/processes/accumulator/victim/cast";
const STOP = "/v1/processes/accumulator/victim/stop";
const LONG = "k".repeat(10_000);
const MIB = 1024 * 1024;
let osPids: unknown;
let redis: Redis;

before(async () => {
  await cluster.start();
  redis = cluster.redis.connect();
  await client.start("accumulator", "victim", { args: 42 });
  await client.call("accumulator/victim", { add: 1 }, { idempotencyKey: "used" });
  await client.start("accumulator", "stopped");
  await client.stop("accumulator/stopped");
  await client.start("troublemaker", "victim");
  osPids = await readOsPids();
});
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

async function readOsPids() {
  const { nodes } = (await client.get("/v1/cluster")).body as { nodes: { id: string; osPid: number }[] };
  return nodes.map(({ id, osPid }) => [id, osPid]);
}

/** Every key that does not expire by itself with a digest of what it holds, and every process. */
async function takePicture() {
  // The log tells what nodes do by themselves, too.
  const keys = (await redis.keys("*")).filter((key) => !key.endsWith(":logs")).sort();
  const contents = await Promise.all(keys.map((key) => Promise.all([redis.pttl(key), redis.dumpBuffer(key)])));
  const lasting = keys.flatMap((key, index) => {
    const [ttlMs, dump] = contents[index] ?? [];
    return ttlMs === -1 && dump ? [[key, createHash("sha256").update(dump).digest("hex")]] : [];
  });
  return { lasting: Object.fromEntries(lasting), processes: (await client.get("/v1/processes?limit=1000")).body };
}

async function assertRefused(what: string, send: () => Promise<Answer>): Promise<void> {
  const before = await takePicture();
  assertProblem(await send(), what);
  assert.deepEqual(await takePicture(), before);
}

const start = (body: unknown) => () => client.request("POST", "/v1/processes", body);
const post = (path: string, body: unknown, headers: Record<string, string> = {}) => {
  return () => client.request("POST", path, body, { headers });
};

const REFUSALS: [name: string, what: string, send: () => Promise<Answer>][] = [
  ["a body that is not JSON", "400 invalid_json", post(CALL, "{'message': 1}")],
  ["an empty body", "400 invalid_json", post(CALL, "")],
  ["half a body", "400 invalid_json", post("/v1/processes", '{"module":"accumulator"')],
  ["a body that is a list", "400 invalid_request", post(CALL, "[]")],
  ["a body that is null", "400 invalid_request", post(CALL, "null")],
  ["a body that is nested 100,000 deep", "400 invalid_request", post(CALL, `{"message":${"[".repeat(100_000)}`)],
  ["a body of another type", "415 unsupported_media_type", post(CALL, "{}", { "content-type": "text/plain" })],
  ["a form", "415 unsupported_media_type", post(CALL, "a=1", { "content-type": "application/x-www-form-urlencoded" })],
  ["a compressed body", "415 unsupported_media_type", post(CALL, "{}", { "content-encoding": "gzip" })],
  ["a body over the limit", "413 body_too_large", post(CAST, { message: "x".repeat(MIB) })],
  ["a start without a module", "400 invalid_request", start({ key: "new" })],
  ["a module that is a number", "400 invalid_request", start({ module: 7, key: "new" })],
  ["an unknown field", "400 invalid_request", start({ module: "accumulator", key: "new", arguments: 1 })],
  ["an unknown option", "400 invalid_request", start({ module: "accumulator", key: "new", options: { idle: 1 } })],
  ["an unknown ifExists", "400 invalid_request", start({ module: "accumulator", key: "new", ifExists: "replace" })],
  ["tags that are no list", "400 invalid_request", start({ module: "accumulator", options: { tags: "a" } })],
  ["__proto__ as a field", "400 invalid_request", post("/v1/processes", '{"module":"accumulator","__proto__":{}}')],
  ["a call without a message", "400 invalid_request", post(CALL, {})],
  ["an unknown field of a call", "400 invalid_request", post(CALL, { message: "total", timeout: 5 })],
  ["an unknown field in the query", "400 invalid_request", post(`${CALL}?timeoutMs=5`, { message: "total" })],
  ["a stop for a reason that is no text", "400 invalid_request", post(STOP, { reason: 7 })],
  ["a stop for an empty reason", "400 invalid_request", post(STOP, { reason: "" })],
  ["an unknown module", "404 unknown_module", start({ module: "nobody", key: "new" })],
  ["a module named like a member of Object", "404 unknown_module", start({ module: "constructor", key: "new" })],
  ["a module of two parts", "400 invalid_pid", start({ module: "a/b", key: "new" })],
  ["an empty key", "400 invalid_pid", start({ module: "accumulator", key: "" })],
  ["a key with a space", "400 invalid_pid", start({ module: "accumulator", key: "new key" })],
  ["a key of dots", "400 invalid_pid", start({ module: "accumulator", key: ".." })],
  ["a key with a line break", "400 invalid_pid", start({ module: "accumulator", key: "new\n" })],
  ["a key with a brace", "400 invalid_pid", start({ module: "accumulator", key: "{7}" })],
  ["a key of 10,000 characters", "400 invalid_pid", start({ module: "accumulator", key: LONG })],
  ["a path's key of 10,000 characters", "400 invalid_pid", () => client.call(`accumulator/${LONG}`, "total")],
  ["a path's key with an escaped slash", "400 invalid_pid", () => client.call("accumulator/a%2Fb", "total")],
  ["a path's key with a broken escape", "400 invalid_pid", () => client.call("accumulator/%zz", "total")],
  ["a path's key with an escaped zero", "400 invalid_pid", () => client.call("accumulator/a%00b", "total")],
  ...[-1, 0, 600_001, 1e21, 1.5].map((timeoutMs): [string, string, () => Promise<Answer>] => [
    `a timeout of ${timeoutMs} ms`,
    "400 invalid_timeout",
    post(CALL, { message: { add: 1 }, timeoutMs }),
  ]),
  ["a timeout that is a text", "400 invalid_request", post(CALL, { message: { add: 1 }, timeoutMs: "5000" })],
  ["a negative delay", "400 invalid_request", post(CAST, { message: 1, delayMs: -1 })],
  ["a delay of a thousand years", "400 invalid_request", post(CAST, { message: 1, delayMs: 31_536_000_000_000 })],
  ["a negative idle time", "400 invalid_request", start({ module: "accumulator", options: { idleAfterMs: -1 } })],
  ["a doubled start", "409 already_started", start({ module: "accumulator", key: "victim", args: 0 })],
  ["a call to a stopped process", "404 no_process", () => client.call("accumulator/stopped", { add: 1 })],
  ["a cast to a stopped process", "404 no_process", () => client.cast("accumulator/stopped", 1)],
  ["an info to a stopped process", "404 no_process", () => client.info("accumulator/stopped", 1)],
  ["a stop of a stopped process", "404 no_process", () => client.stop("accumulator/stopped")],
  [
    "the same Idempotency-Key with another body",
    "422 idempotency_conflict",
    () => client.call("accumulator/victim", { add: 2 }, { idempotencyKey: "used" }),
  ],
];

for (const [name, what, send] of REFUSALS) {
  test(`${name} is ${what}, and nothing has changed`, () => assertRefused(what, send));
}

const STATES: [name: string, trouble: object, what: string][] = [
  ["holds a BigInt", { do: "bigint" }, "500 state_not_json"],
  ["holds itself", { do: "cycle" }, "500 state_not_json"],
  ["is 20 MB large", { do: "big", bytes: 20_000_000 }, "500 state_too_large"],
];

for (const [name, trouble, what] of STATES) {
  test(`a state that ${name} is ${what}, and the state is the last committed one`, async () => {
    const { state } = (await client.read("troublemaker/victim")).body;
    assertProblem(await client.call("troublemaker/victim", trouble), what);
    assert.deepEqual((await client.read("troublemaker/victim")).body["state"], state);
    const { messageId } = (await client.cast("troublemaker/victim", trouble)).body;
    const message = (await client.get(`/v1/messages/${messageId}?wait=5000`)).body;
    assert.deepEqual([message["status"], `500 ${(message["error"] as { code: string }).code}`], ["failed", what]);
    assert.equal((await client.call("troublemaker/victim", { do: "add" })).status, 200, "the next message runs");
  });
}

test("a message that its module does not take is an error to its caller that names the callback", async () => {
  for (const message of ["null", '"subtract"', '{"add":"1"}', "[]", '{"add":1e999}']) {
    const refused = await client.request("POST", CALL, `{"message":${message}}`);
    assertProblem(refused, "500 callback_failed");
    assert.match(String(refused.body["detail"]), /^accumulator\.handleCall threw TypeError: accumulator cannot add /);
  }
  assert.deepEqual((await client.read("accumulator/victim")).body["state"], { acc: 43, count: 1 });
});

test("bytes that are no HTTP, and a body that never ends, end with their connection", async () => {
  const before = await takePicture();
  const port = Number(new URL(cluster.urls[0] ?? "").port);
  const garbage = connect(port, "127.0.0.1").end("\x16\x03\x01 this is not HTTP\r\n\r\n");
  assert.match(await text(garbage), /^HTTP\/1\.1 400 .*\r\n[\s\S]*"code":"invalid_request"/);
  const head = `POST ${CAST} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n`;
  const halfway = connect(port, "127.0.0.1");
  await new Promise((resolve) => halfway.write(`${head}{"message":`, resolve));
  halfway.destroy();
  await until(async () => String((await client.get("/metrics")).body["text"]).includes("in_flight 1\n"), SOON);
  assert.deepEqual(await takePicture(), before);
});

test("after all of it every node is the one it was, and none has logged an error of its own", async () => {
  assert.deepEqual(await readOsPids(), osPids);
  for (const node of [...cluster.apis, ...cluster.workers]) {
    const errors = node.records.filter(({ level }) => level === "error" || level === "fatal");
    assert.deepEqual([node.isAlive, errors, node.stderr], [true, [], []], node.name);
  }
  assert.deepEqual((await client.call("accumulator/victim", "total")).body["reply"], 43);
});
