import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, afterEach, before, test } from "node:test";
import { Redis, type RedisOptions } from "ioredis";
import { assertNoChildLeft } from "../child.ts";
import { RedisServer } from "../redis-server.ts";
import { until } from "../until.ts";
import { FaultProxy } from "./fault-proxy.ts";

const ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
const ADD_SHA = createHash("sha1").update(ADD).digest("hex");

const server = new RedisServer({ password: "secret" });
const clients: Redis[] = [];
let proxy: FaultProxy;
let direct: Redis;

before(async () => {
  await server.start();
  direct = server.connect();
  proxy = new FaultProxy(server.url);
  await proxy.start();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await proxy.refuse(false);
  proxy.heal();
  await direct.flushdb();
  await direct.script("FLUSH");
});

after(async () => {
  await proxy.stop();
  await server.stop();
  assertNoChildLeft();
});

type ClientOptions = Pick<RedisOptions, "protocol" | "connectionName" | "retryStrategy" | "lazyConnect">;

function connect(options: ClientOptions = {}): Redis {
  const client = new Redis(proxy.urlOf(server.url), {
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 20,
    ...options,
  });
  client.on("error", () => {});
  clients.push(client);
  return client;
}

const add = (client: Redis, key: string) => client.eval(ADD, 1, key, 1);

for (const protocol of [2, 3] as const) {
  test(`RESP${protocol}: everything passes unchanged, pipelined, large, nested and in order`, async () => {
    const client = connect({ protocol });
    const large = "x".repeat(3_000_000);
    await client.set("large", large);
    const answers = await Promise.all([
      client.get("large"),
      client.hset("hash", { a: "1", b: "2" }),
      client.hgetall("hash"),
      client.eval("return {1, {2, 'three', false}, {}}", 0),
      client.eval("return redis.error_reply('WRONG on purpose')", 0).catch((error: Error) => error.message),
      client.multi().incr("n").incr("n").exec(),
    ]);
    assert.equal(answers[0], large);
    assert.deepEqual(answers[2], { a: "1", b: "2" });
    assert.deepEqual(answers[3], [1, [2, "three", null], []]);
    assert.match(String(answers[4]), /WRONG on purpose/);
    assert.equal(answers[5]?.length, 2);
  });

  test(`RESP${protocol}: a lost answer is the right one on a connection that also gets messages`, async () => {
    const client = connect({ protocol });
    const heard: string[] = [];
    client.on("message", (_channel, text) => heard.push(text));
    await client.subscribe("news", "weather");
    await direct.publish("news", "first");
    await until(() => heard.length === 1, { withinMs: 2_000 });
    const lost = proxy.loseAnswer("never-sent");
    const pings = await Promise.all([client.ping(), client.unsubscribe("weather"), client.ping()]);
    assert.equal(pings.length, 3);
    const fault = proxy.loseAnswer(({ name }) => name === "PING");
    await direct.publish("news", "second");
    await assert.rejects(client.ping());
    await fault.met;
    assert.equal(lost.hits, 0);
    assert.deepEqual(heard, ["first", "second"]);
  });
}

test("a lost answer: the command ran once, earlier answers arrived, and the connection is cut", async () => {
  const client = connect();
  await client.ping();
  const fault = proxy.loseAnswer("marked-key");
  const results = await Promise.allSettled([add(client, "plain"), add(client, "marked-key"), add(client, "late")]);
  await fault.met;
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "rejected"],
  );
  assert.equal(await direct.get("marked-key"), "1");
  assert.equal(await add(client, "marked-key"), 2);
  assert.equal(fault.hits, 1);
});

test("an answer is lost as often as asked, and not when Redis did not know the script", async () => {
  const client = connect();
  const fault = proxy.loseAnswer(ADD_SHA, { times: 2 });
  await assert.rejects(client.evalsha(ADD_SHA, 1, "counter", 1), /NOSCRIPT/);
  assert.equal(await client.script("LOAD", ADD), ADD_SHA);
  assert.equal(fault.hits, 0);
  for (let n = 0; n < 2; n++) await assert.rejects(client.evalsha(ADD_SHA, 1, "counter", 1));
  await fault.met;
  assert.equal(await client.evalsha(ADD_SHA, 1, "counter", 1), 3);
});

test("a request that is cut in the middle never runs", async () => {
  const client = connect();
  const fault = proxy.cutMidRequest("marked-key");
  await assert.rejects(add(client, "marked-key"));
  await fault.met;
  assert.equal(await direct.exists("marked-key"), 0);
  assert.equal(await add(client, "marked-key"), 1);
});

test("a held request runs when it is released, and what its connection sends after it waits behind it", async () => {
  const client = connect();
  const fault = proxy.holdRequest("marked-key");
  const both = Promise.all([add(client, "marked-key"), add(client, "after")]);
  await fault.met;
  assert.equal(await add(connect(), "other-connection"), 1);
  assert.equal(await direct.exists("marked-key", "after"), 0);
  fault.release();
  assert.deepEqual(await both, [1, 1]);
});

test("a held request of a client that has died still arrives when it is released", async () => {
  const client = connect();
  await client.ping();
  const fault = proxy.holdRequest("marked-key");
  const answer = add(client, "marked-key").catch(() => "gone");
  await fault.met;
  client.disconnect();
  assert.equal(await answer, "gone");
  assert.equal(await direct.exists("marked-key"), 0);
  fault.release();
  await until(async () => (await direct.get("marked-key")) === "1", { withinMs: 2_000 });
});

test("a held answer: the command has run, and the client learns it when it is released", async () => {
  const client = connect();
  const fault = proxy.holdAnswer("marked-key");
  const answer = add(client, "marked-key");
  await until(async () => (await direct.get("marked-key")) === "1", { withinMs: 2_000 });
  await fault.met;
  fault.release();
  assert.equal(await answer, 1);
});

test("a fault can be limited to clients of a name", async () => {
  const worker = connect({ connectionName: "worker-1" });
  const api = connect({ connectionName: "api-1" });
  await Promise.all([worker.ping(), api.ping()]);
  assert.deepEqual(proxy.clientNames.sort(), ["api-1", "worker-1"]);
  const fault = proxy.loseAnswer("counter", { client: /^worker/ });
  assert.equal(await add(api, "counter"), 1);
  await assert.rejects(add(worker, "counter"));
  await fault.met;
});

test("delay takes its time in both directions and keeps the order", async () => {
  const client = connect();
  await client.ping();
  proxy.delay(100);
  const startedAt = performance.now();
  const totals = await Promise.all([add(client, "n"), add(client, "n"), add(client, "n")]);
  const tookMs = performance.now() - startedAt;
  assert.deepEqual(totals, [1, 2, 3]);
  assert.ok(tookMs >= 195, `took ${tookMs} ms`);
});

test("cut closes what is open, and the client comes back", async () => {
  const client = connect();
  await client.ping();
  const closed = new Promise((resolve) => client.once("close", resolve));
  proxy.cut();
  await closed;
  assert.equal(await add(client, "n"), 1);
});

test("refuse keeps new connections out and leaves the old ones", async () => {
  const old = connect();
  await old.ping();
  await proxy.refuse(true);
  const stranger = connect({ retryStrategy: () => null, lazyConnect: true });
  await assert.rejects(stranger.connect());
  assert.equal(await old.ping(), "PONG");
  await proxy.refuse(false);
  await stranger.connect();
});

test("half-open: nothing passes and nothing closes; afterwards what was sent arrives", async () => {
  const client = connect();
  await client.ping();
  proxy.halfOpen(true);
  let isAnswered = false;
  const answer = add(client, "n").finally(() => {
    isAnswered = true;
  });
  await assert.rejects(until(() => isAnswered || client.status !== "ready", { withinMs: 150 }));
  assert.equal(await direct.exists("n"), 0);
  proxy.halfOpen(false);
  assert.equal(await answer, 1);
});

test("a Redis that is killed closes its clients' connections, and they come back with it", async () => {
  const client = connect();
  await client.ping();
  const closed = new Promise((resolve) => client.once("close", resolve));
  await server.kill();
  await closed;
  await server.restart();
  await until(() => client.ping(), { withinMs: 5_000 });
});

test("stop is safe twice and without start", async () => {
  const other = new FaultProxy(server.url);
  await other.stop();
  await other.start();
  await other.stop();
  await other.stop();
});
