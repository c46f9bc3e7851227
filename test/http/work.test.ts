import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import type { Answer, RequestOptions } from "../tools/cluster-client.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { assertProblem } from "./problem.ts";

/** The work queue as its callers meet it: work is a pause of 2 s, and is seen for 2 s after it. */

const PAUSE_MS = 2_000;
const TTL_MS = 2_000;
const cluster = new TestCluster({
  apis: 2,
  workers: 2,
  sessionTtlMs: 6_000,
  modulesDir: "modules",
  env: { DRAIN_MS: "50", WORK_PAUSE_MS: String(PAUSE_MS), WORK_TTL_MS: String(TTL_MS) },
});
const { client } = cluster;
const WORK = "/api/v1/work";
const FOO = "ACBD18DB4CC2F85CEDEF654FCCC4A4D8";
const SOON = { withinMs: 15_000 };
const NOT_FOUND = { status: "404. not found!" };
const MISSING = { error: "POST body is NOT well-formed; `data` field is missing" };

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

interface State {
  status: string;
  result?: unknown;
  shownUntil: number;
}

const post = (data: unknown, options?: RequestOptions) => client.request("POST", WORK, { data }, options);
const callbackOf = (data: string) => hash("md5", data).toUpperCase();
const read = (callback: unknown) => client.get(`${WORK}/${callback}`);
const bare = ({ status, body }: Answer) => [status, body];

/** As the workers' logs tell it. */
function timesBegun(callback: unknown): number {
  const records = cluster.workers.flatMap((worker) => worker.records);
  return records.filter(({ pid, status }) => pid === `work/${callback}` && status === "working").length;
}

/** Sends what a timer of the work would, before its time. */
async function send(callback: unknown, tick: "due" | "hide"): Promise<void> {
  const { messageId } = (await client.info(`work/${callback}`, tick)).body;
  const { body } = await client.get(`/v1/messages/${messageId}?wait=15000`);
  assert.equal(body["status"], "done");
}

/** It is worked, and no longer found. */
async function finish(callback: unknown): Promise<void> {
  await send(callback, "due");
  assert.deepEqual(bare(await read(callback)), [200, { status: "worked" }]);
  await send(callback, "hide");
  assert.deepEqual(bare(await read(callback)), [404, NOT_FOUND]);
}

/** Each status that is seen, once, until there is none. */
async function watch(callback: unknown): Promise<unknown[]> {
  const seen: unknown[] = [];
  await until(
    async () => {
      const { status, body } = await read(callback);
      if (seen.at(-1) !== body["status"]) seen.push(body["status"]);
      return status === 404;
    },
    { ...SOON, everyMs: 5 },
  );
  return seen;
}

test("MS-1: a POST is accepted by the api that took it, under the MD5 of its data", async () => {
  for (const [index, { url = "" }] of cluster.apis.entries()) {
    const response = await fetch(url + WORK, { method: "POST", body: '{"data":"foo"}' });
    assert.equal(response.headers.get("content-type"), "application/json");
    const accepted = `{"accepted_by":"api@api-${index + 1}","callback":"${FOO}","data":"foo","status":"accepted"}`;
    assert.deepEqual([response.status, await response.text()], [200, accepted]);
  }
});

test("MS-1: any Content-Type, any path below, any query, and any other field of the body are taken", async () => {
  const types = ["application/x-www-form-urlencoded", "text/plain", "application/json", "nonsense"];
  for (const [index, path] of [WORK, `${WORK}/`, `${WORK}/any/thing`, `${WORK}?a=1&a=2`].entries()) {
    const headers = { "content-type": types[index] ?? "" };
    const answer = await client.request("POST", path, { data: "bar", more: [1] }, { headers });
    assert.deepEqual([answer.status, answer.body["callback"]], [200, "37B51D194A7513E45B56F6524F2D51F2"], path);
  }
});

test("MS-1: empty, long and foreign data is data", async () => {
  for (const data of ["", "\u00e9\u0000\n\u65e5\u672c", "{}"]) {
    const { status, body } = await post(data);
    assert.deepEqual([status, body["data"], body["callback"]], [200, data, callbackOf(data)]);
  }
  assert.equal((await post("x".repeat(1_000_000))).status, 200);
  assertProblem(await post("x".repeat(1_100_000)), "413 body_too_large");
});

test("MS-2: a body without data is refused, and so is one that is no JSON", async () => {
  for (const body of ["{}", '{"date":"foo"}', "", "data=foo", '{"data":"foo"', "[]", "null", '"data"', "5"]) {
    assert.deepEqual(bare(await client.request("POST", WORK, body)), [400, MISSING], body);
  }
});

test("MS-2: data that is no string is refused", async () => {
  const refused = { error: "POST body is NOT well-formed; `data` field is not a string" };
  for (const data of [null, 5, true, ["foo"], { foo: 1 }]) assert.deepEqual(bare(await post(data)), [400, refused]);
});

test("MS-3, MS-4, MS 4.9.6: work is pending or working, then worked, then no longer found", async () => {
  const startedAt = performance.now();
  const { callback } = (await post("life")).body;
  const seen = await watch(callback);
  const tookMs = performance.now() - startedAt;
  assert.deepEqual(
    seen.filter((status) => status !== "pending"),
    ["working", "worked", NOT_FOUND.status],
  );
  assert.ok(seen.indexOf("pending") <= 0, "pending comes first, where it is seen");
  // A worker knows Redis's time to within a round trip.
  assert.ok(tookMs >= PAUSE_MS + TTL_MS - 200, `it took ${tookMs} ms`);
});

test("MS-3: a callback with a leading _ is the same", async () => {
  const { callback } = (await post("underscore")).body;
  assert.equal((await read(`_${callback}`)).status, 200);
  assert.equal((await read(`__${callback}`)).status, 404);
});

test("MS-4: what nobody posted is not found", async () => {
  for (const callback of ["0".repeat(32), FOO.toLowerCase(), "foo", "_", `${FOO}/more`, "..%2f", "%00"]) {
    assert.deepEqual(bare(await read(callback)), [404, NOT_FOUND], callback);
  }
});

test("MS-5: a GET without a callback says so", async () => {
  const refused = { error: "No callback_id was given in GET request" };
  for (const path of [WORK, `${WORK}/`]) assert.deepEqual(bare(await client.get(path)), [400, refused]);
});

test("MS-6: other methods are refused", async () => {
  const refused = { error: "unsupported method; please use GET or POST" };
  for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS"]) {
    for (const path of [WORK, `${WORK}/`, `${WORK}/${FOO}`, `${WORK}/a/b`]) {
      const response = await fetch(`${cluster.urls[0]}${path}`, { method });
      assert.deepEqual([response.status, await response.json()], [400, refused], `${method} ${path}`);
    }
  }
});

test("MS-7: workers that take work are in the cluster by name, and one that leaves is not", async () => {
  const names = async () =>
    ((await client.get("/v1/cluster")).body["nodes"] as { name: string }[]).map(({ name }) => name).sort();
  assert.deepEqual(await names(), ["api@api-1", "api@api-2", "worker@worker-1", "worker@worker-2"]);
  const third = await cluster.addWorker();
  await until(async () => (await names()).includes("worker@worker-3"), SOON);
  await third.stop();
  await until(async () => !(await names()).includes("worker@worker-3"), SOON);
});

test("the same data posted while it is worked on changes nothing, however often", async () => {
  const { callback } = (await post("again")).body;
  const answers = await Promise.all(Array.from({ length: 20 }, () => post("again")));
  for (const { status, body } of answers) assert.deepEqual([status, body["callback"]], [200, callback]);
  await finish(callback);
  assert.equal(timesBegun(callback), 1);
});

test("work that is no longer found is done anew, and is seen from the moment that it is accepted", async () => {
  const { callback } = (await post("anew")).body;
  await finish(callback);
  const answers = await Promise.all(Array.from({ length: 10 }, () => post("anew")));
  for (const { status } of answers) assert.equal(status, 200);
  assert.equal((await read(callback)).status, 200);
  await finish(callback);
  assert.equal(timesBegun(callback), 2);
});

test("worked work that is posted again is seen for its time from then on", async () => {
  const { callback } = (await post("kept")).body;
  await send(callback, "due");
  const shownUntil = async () => ((await client.read(`work/${callback}`)).body["state"] as State).shownUntil;
  const before = await shownUntil();
  await until(async () => {
    assert.equal((await post("kept")).status, 200);
    return (await shownUntil()) > before;
  }, SOON);
  assert.equal((await read(callback)).body["status"], "worked");
});

test("what work came to is kept with its process after it is no longer found", async () => {
  const { callback } = (await post("result")).body;
  await finish(callback);
  const { status, result } = (await client.read(`work/${callback}`)).body["state"] as State;
  assert.deepEqual([status, result], ["worked", null]);
});

test("a hundred pieces of work are done side by side", async () => {
  const startedAt = performance.now();
  const posted = await Promise.all(Array.from({ length: 100 }, (_, index) => post(`side ${index}`)));
  const callbacks = new Set(posted.map(({ body }) => body["callback"]));
  assert.equal(callbacks.size, 100);
  for (const callback of callbacks) {
    const isWorked = async () => ((await client.read(`work/${callback}`)).body["state"] as State)?.status === "worked";
    await until(isWorked, SOON);
  }
  assert.ok(performance.now() - startedAt < 20 * PAUSE_MS, "they did not wait for each other");
});

test("a POST from a page of another site is refused, and does nothing", async () => {
  for (const origin of ["https://evil.example", "null"]) {
    const headers = { origin, "content-type": "text/plain" };
    for (const path of [WORK, `${WORK}/`]) {
      assertProblem(await client.request("POST", path, { data: "forged" }, { headers }), "403 cross_site");
    }
  }
  assert.equal((await read(callbackOf("forged"))).status, 404);
  const [url = ""] = cluster.urls;
  const answer = await post("forged", { url, headers: { origin: url } });
  assert.equal(answer.status, 200);
});

test("a body that ends early does nothing", async () => {
  const { hostname, port } = new URL(cluster.urls[0] ?? "");
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.write(`POST ${WORK} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{"data":"cut"}`);
  socket.destroy();
  await once(socket, "close");
  await post("whole");
  assert.deepEqual([(await read(callbackOf("whole"))).status, (await read(callbackOf("cut"))).status], [200, 404]);
});

test("a POST is repeated under an Idempotency-Key as often as one likes, and is one POST", async () => {
  const { callback } = (await post("keyed", { idempotencyKey: "k1" })).body;
  await finish(callback);
  assert.equal((await post("keyed", { idempotencyKey: "k1" })).status, 200);
  assert.equal((await read(callback)).status, 404, "it is not done anew");
  assert.equal((await post("keyed", { idempotencyKey: "k2" })).status, 200);
  assert.equal((await read(callback)).status, 200);
});
