import assert from "node:assert/strict";
import { request as requestHttp } from "node:http";
import { after, before, test } from "node:test";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { assertNoChildLeft, type Child } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { type Gateway, GatewayCluster } from "./gateway-cluster.ts";
import { request, type Step } from "./model/messages.ts";

const WITHIN = { withinMs: 20_000 };
const TWO = { method: "/model.Two/Call" };
const VALUE = { method: "/model.Value/Process" };
const ACT = { method: "/model.Act/Unary" };
const world = new GatewayCluster({ apis: 1 });
let model: Child;
let gateway: Gateway;

before(async () => {
  await world.start();
  ({ model, gateway } = await world.startServed());
});
after(async () => {
  await world.stop();
  assertNoChildLeft();
});

const call = (id: string, ...script: Step[]) => gateway.call(request(id, ...script));
const heard = (entity: string, msg = "command") =>
  model.records.filter((record) => record["msg"] === msg && record["entity"] === entity);

/** A request as its bytes are: a URL would mend its path. */
function send(method: string, path: string, body: Buffer | string = ""): Promise<[number | undefined, string]> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: gateway.port, method, path };
    const sent = requestHttp(options, async (response) => {
      const chunks = await response.toArray();
      resolve([response.statusCode, Buffer.concat(chunks).toString()]);
    });
    sent.on("error", reject).end(body);
  });
}

test("bytes that are no question end the stream of reflection, and nothing else", async () => {
  const asTheyAre = (bytes: Buffer) => bytes;
  const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  const stream = gateway.client.makeBidiStreamRequest(path, asTheyAre, asTheyAre);
  const failed = new Promise<{ code: status }>((resolve) => stream.on("error", resolve).on("data", () => {}));
  stream.write(Buffer.from([0x0f]));
  assert.equal((await failed).code, status.INTERNAL);
  assert.equal(await call("reflected", { emit: "A" }), "A");
});

test("a failure with a text of any length reaches its caller, cut, and no other call of the connection is harmed", async () => {
  const waiting = call("beside", { waitMs: 500 }, { emit: "A" });
  for (const length of [1_000, 60_000, 1_000_000]) {
    const [code, text] = await gateway.fail(request("wordy", { fail: "ü".repeat(length) }));
    assert.equal(code, status.UNKNOWN);
    assert.match(text, /^ü{1000}/);
  }
  assert.equal(await waiting, "A");
});

test("metadata of a reply reaches its caller, but for what is gRPC's or HTTP's own, and what is too large", async () => {
  const given = {
    "x-own": "yes",
    ":status": "500",
    connection: "close",
    "grpc-status": "5",
    "Content-Length": "1",
    te: "x",
  };
  const metadata = await answerMetadata({ metadata: given });
  assert.deepEqual([metadata.get("x-own"), metadata.get("connection"), metadata.get("te")], [["yes"], [], []]);
  const cut = await answerMetadata({ metadata: { "x-small": "yes", "x-large": "x".repeat(1_000_000) } });
  assert.deepEqual([cut.get("x-small"), cut.get("x-large")], [["yes"], []]);
});

function answerMetadata(step: Step): Promise<Metadata> {
  const asTheyAre = (bytes: Buffer) => bytes;
  return new Promise((resolve, reject) => {
    let found: Metadata;
    const sent = request("metadata", step);
    const one = gateway.client.makeUnaryRequest(ACT.method, asTheyAre, asTheyAre, sent, new Metadata(), {}, (error) => {
      if (error) reject(error);
      else resolve(found);
    });
    one.on("metadata", (metadata) => {
      found = metadata;
    });
  });
}

test("CS-3: an id in a path is what it says, dots and slashes and all; gRPC sees the same entity", async () => {
  const ids = [
    ["..", ".."],
    [".", "."],
    ["%2e%2e", ".."],
    ["a\\b", "a\\b"],
    ["a//b".replaceAll("/", "%2F"), "a//b"],
    ["%E2%82%AC", "€"],
  ] as const;
  for (const [index, [path, id]] of ids.entries()) {
    const script = encodeURIComponent(JSON.stringify([{ emit: String(index) }]));
    const [code, text] = await send("GET", `/model/${path}?script=${script}`);
    assert.equal(code, 200, `${path}: ${text}`);
    assert.equal(text, JSON.stringify({ message: await call(id) }), path);
  }
  assert.equal(await call(".."), "02");
});

test("paths that are none are 404", async () => {
  for (const path of ["//", "//x/ready", "/", "*", "/model/%ff"]) assert.equal((await send("GET", path))[0], 404, path);
  assert.equal((await send("GET", "http://elsewhere/ready"))[0], 200);
});

test("CS-3: what is no UTF-8 names no entity: two requests would share one", async () => {
  const [code, text] = await gateway.fail(Buffer.from([0x0a, 1, 0xff]));
  assert.equal(code, status.INVALID_ARGUMENT);
  assert.match(text, /the request is no model\.Request/);
  const bytes = Buffer.concat([Buffer.from('{"id":"'), Buffer.from([0xff]), Buffer.from('"}')]);
  assert.deepEqual(await send("POST", "/model.Two/Call", bytes), [400, "the body is not UTF-8"]);
  assert.deepEqual(await send("POST", "/model.Two/Call", '{"id":"\\ud800"}'), [400, "id must be a text"]);
});

test("JSON of any depth is 400", async () => {
  const deep = `{"script":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`;
  assert.deepEqual(await send("POST", "/model.Two/Call", deep), [400, "the body has more than 100 levels"]);
});

for (const [name, options] of [
  ["an entity", {}],
  ["an action", ACT],
] as const) {
  test(`what ${name} forwards to itself for ever comes to an end`, async () => {
    const [code, text] = await gateway.fail(request(`round ${name}`, { again: "forward" }), options);
    assert.equal(code, status.UNKNOWN);
    assert.match(text, /has come through more than 100 other commands/);
  });

  test(`side effects that ${name} has on itself for ever come to an end`, async () => {
    await gateway.call(request(`spiral ${name}`, { again: "effect" }), options);
    const isTold = ({ msg, message }: Record<string, unknown>) =>
      msg === "reported" && /side effect.* model\.\w+\.\w+ failed: .*more than 100/.test(String(message));
    await model.untilRecord(isTold, { ...WITHIN, what: "the last one is refused" });
  });
}

test("a side effect on an entity whose stream has broken is done all the same, once", async () => {
  await gateway.call(request("broken", { emit: "A" }), TWO);
  await gateway.call(request("broken", { misbehave: "twice" }), TWO);
  const isTold = ({ msg, entity }: Record<string, unknown>) => msg === "entity.terminated" && entity === "two/broken";
  await gateway.child.untilRecord(isTold, { ...WITHIN, what: "the stream breaks" });
  await call("causer", { effect: "broken", script: [{ emit: "B" }] });
  await until(() => heard("broken").length === 3, { ...WITHIN, what: "the effect is done" });
  assert.equal(await gateway.call(request("broken"), TWO), "AB");
});

test("what is cast to an entity past the gateway, and is no command, is refused and harms nobody", async () => {
  await call("past", { emit: "A" });
  const command = { name: "Process", payload: "", entityId: "past" };
  for (const message of [null, 5, {}, { ...command, metadata: 5 }, { ...command, metadata: [null] }]) {
    assert.equal((await world.cluster.client.cast("model/past", message)).status, 202);
    const { body } = await world.cluster.client.call("model/past", message);
    assert.equal(body["code"], "command_failed", JSON.stringify(body));
  }
  const crashed = gateway.child.records.filter(({ pid, code }) => pid === "model/past" && code === "callback_failed");
  assert.deepEqual(crashed, []);
  assert.equal(await call("past", { emit: "B" }), "AB");
  assert.equal(heard("past", "init").length, 1);
});

test("CS-16: the relay timeout counts from a command's arrival, however long its caller would wait", async () => {
  const first = call("patient", { waitMs: 1_500 });
  await until(() => heard("patient").length === 1, WITHIN);
  const second = call("patient", { waitMs: 2_900 });
  await assert.rejects(second, { code: status.DEADLINE_EXCEEDED });
  await first;
});

test("the journal of a value entity does not grow with every update", async () => {
  const texts = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(400, "."));
  for (const text of texts) await gateway.call(request("last", { set: text }), VALUE);
  const redis = world.cluster.redis.connect();
  const [journal = ""] = await redis.keys(`${world.cluster.keyPrefix}:*:journal:value/last`);
  assert.ok((await redis.xlen(journal)) < texts.length / 2);
  await gateway.fail(request("last", { misbehave: "end" }), VALUE);
  assert.equal(await gateway.call(request("last"), VALUE), texts.at(-1));
});

test("a recovery that fails halfway ends the stream that it has opened", async () => {
  for (const letter of "AB") await call("halfway", { emit: letter });
  const redis = world.cluster.redis.connect();
  const [journal = ""] = await redis.keys(`${world.cluster.keyPrefix}:*:journal:model/halfway`);
  const entries = await redis.xrange(journal, "-", "+");
  await redis.del(journal);
  for (const [index, [id, fields]] of entries.entries()) {
    const torn = index === 1 ? fields.map((field) => (field.startsWith('"') ? '"***"' : field)) : fields;
    await redis.xadd(journal, id, ...torn);
  }
  // Its own stream breaks, and it is made anew.
  await gateway.fail(request("halfway", { misbehave: "end" }));
  const failing = gateway.fail(request("halfway"), { withinMs: 2_000 });
  const isTold = ({ msg, pid }: Record<string, unknown>) => msg === "process.quarantined" && pid === "model/halfway";
  await gateway.child.untilRecord(isTold, { ...WITHIN, what: "it is quarantined" });
  await failing;
  await until(() => heard("halfway", "end").length === 1, { ...WITHIN, what: "the second stream ends" });
  assert.equal(heard("halfway", "init").length, 2);
});

test("a client that is cancelled, or gone, leaves nothing behind and harms nobody", async () => {
  const asTheyAre = (bytes: Buffer) => bytes;
  const client = new Client(`127.0.0.1:${gateway.port}`, credentials.createInsecure());
  const sent = request("left", { waitMs: 300 }, { emit: "A" });
  const one = client.makeUnaryRequest("/model.Model/Process", asTheyAre, asTheyAre, sent, () => {});
  await until(() => heard("left").length === 1, WITHIN);
  one.cancel();
  client.close();
  assert.equal(await call("left", { emit: "B" }), "AB");
});
