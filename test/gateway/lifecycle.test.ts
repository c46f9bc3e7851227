import assert from "node:assert/strict";
import { after, afterEach, before, suite, test } from "node:test";
import { findFreePort } from "@genserverless/local/ports.ts";
import { status } from "@grpc/grpc-js";
import { assertNoChildLeft, type Child } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { type Gateway, GatewayCluster } from "./gateway-cluster.ts";
import { request, type Step } from "./model/messages.ts";

const WITHIN = { withinMs: 20_000 };
const world = new GatewayCluster({ apis: 1 });

before(() => world.start());
after(async () => {
  await world.stop();
  assertNoChildLeft();
});

/** A user function and gateways before it, under a persistence id of their own. */
async function open(name: string, { gateways = 1, model: modelEnv = {}, gateway: gatewayEnv = {} } = {}) {
  const port = await findFreePort();
  const entityType = "cloudstate.eventsourced.EventSourced";
  const entities = [
    { entityType, serviceName: "model.Model", persistenceId: name },
    { entityType, serviceName: "model.Two", persistenceId: `${name}-two` },
  ];
  const model = await world.startModel(port, { SPEC: JSON.stringify({ entities }), ...modelEnv });
  const nodes = await Promise.all(Array.from({ length: gateways }, () => world.startGateway(port, gatewayEnv)));
  for (const node of nodes) await node.untilOpen();
  return { model, port, nodes, gateway: nodes[0] as Gateway };
}

type Opened = Awaited<ReturnType<typeof open>>;

const records = ({ records: all }: Child, msg: string) => all.filter((record) => record["msg"] === msg);

async function untilSaid(model: Child, msg: string, count = 1): Promise<void> {
  await until(() => records(model, msg).length >= count, { ...WITHIN, what: `the model says ${msg}, ${count} times` });
}

/** Where it has fallen asleep and woken in between, each of its streams has ended. */
async function untilAsleep(model: Child, entity: string): Promise<void> {
  const count = (msg: string) => records(model, msg).filter((record) => record["entity"] === entity).length;
  await until(() => count("end") === count("init"), { ...WITHIN, what: `the stream of ${entity} ends` });
}

function codeOf(error: { code: status }): status {
  return error.code;
}

suite("two gateways", () => {
  let opened: Opened;
  before(async () => {
    opened = await open("lasting", { gateways: 2 });
  });
  after(() => world.stopNodes());

  test("CS-7: one id in two services is two entities", async () => {
    const { gateway } = opened;
    assert.equal(await gateway.call(request("same", { emit: "A" })), "A");
    assert.equal(await gateway.call(request("same", { emit: "B" }), { method: "/model.Two/Call" }), "B");
    assert.equal(await gateway.call(request("same", { emit: "C" })), "AC");
  });

  test("CS-13: of two gateways any takes any request, and an entity is awake in one place", async () => {
    const { model, nodes } = opened;
    for (const [index, letter] of Array.from("abcdef").entries()) {
      await nodes[index % 2]?.call(request("spread", { emit: letter }));
    }
    const inits = records(model, "init").filter(({ entity }) => entity === "spread");
    assert.equal(inits.length, 1);
  });

  test("CS-13: a gateway that stands still loses its entities to another, and finds what that one kept when it goes on", async () => {
    const [first, second] = opened.nodes as [Gateway, Gateway];
    const ids = Array.from({ length: 6 }, (_, index) => `paused-${index}`);
    await Promise.all(ids.map((id) => first.call(request(id, { emit: "A" }))));
    await first.child.pause();
    for (const id of ids) {
      const answer = () => second.call(request(id, { emit: "B" }), { withinMs: 30_000 });
      assert.equal(await until(answer, { withinMs: 40_000, what: `${id} is taken over` }), "AB");
    }
    first.child.resume();
    const rejoins = () => records(first.child, "session.registered").length === 2;
    await until(rejoins, { ...WITHIN, what: "it rejoins" });
    for (const id of ids) assert.equal(await first.call(request(id, { emit: "C" })), "ABC");
  });

  test("many entities are awake at once, over several connections", async () => {
    const { model, gateway } = opened;
    const ids = Array.from({ length: 250 }, (_, index) => `crowd-${index}`);
    const answers = await Promise.all(ids.map((id) => gateway.call(request(id, { emit: id }))));
    assert.deepEqual(answers, ids);
    const inits = records(model, "init").filter(({ entity }) => String(entity).startsWith("crowd-"));
    assert.equal(inits.length, 250);
  });

  test("what is sent to an entity past the gateway, and is no command, is refused and harms nobody", async () => {
    const { gateway } = opened;
    await gateway.call(request("guarded", { emit: "A" }));
    for (const message of [null, "x", { name: 1 }, { name: "Absent", payload: "", entityId: "guarded" }]) {
      const { status: code, body } = await world.cluster.client.call("lasting/guarded", message);
      assert.deepEqual([code, body["code"] ?? body["error"]], [422, "command_failed"], JSON.stringify(body));
    }
    assert.equal(await gateway.call(request("guarded", { emit: "B" })), "AB");
  });

  test("CS-6, CS-13: what was answered is kept when its gateway is killed; another one goes on", async () => {
    const [first, second] = opened.nodes as [Gateway, Gateway];
    const ids = Array.from({ length: 8 }, (_, index) => `killed-${index}`);
    for (const letter of "ABC") {
      await Promise.all(ids.map((id) => first.call(request(id, { emit: letter }))));
    }
    const underWay = ids.map((id) => first.call(request(id, { waitMs: 200 }, { emit: "?" })).catch(() => undefined));
    await first.child.kill();
    await Promise.all(underWay);
    for (const id of ids) {
      const text = await until(() => second.call(request(id, { emit: "D" })), {
        withinMs: 30_000,
        what: `${id} answers`,
      });
      assert.match(text, /^ABC\??D+$/, id);
    }
  });
});

suite("entities that are put to sleep soon", () => {
  let opened: Opened;
  before(async () => {
    opened = await open("sleepy", { gateway: { PASSIVATION_TIMEOUT_MS: "300" } });
  });
  after(() => world.stopNodes());

  test("CS-9: an idle entity is put to sleep, its stream ends; the next command begins a new one, ids from 1", async () => {
    const { model, gateway } = opened;
    for (const letter of "ABCDEF") await gateway.call(request("a", { emit: letter }));
    await untilAsleep(model, "a");
    assert.equal(await gateway.call(request("a", { emit: "G" })), "ABCDEFG");
    const said = model.records.filter(({ msg }) => msg === "init" || msg === "event" || msg === "command");
    const last = said.slice(said.findLastIndex(({ msg }) => msg === "init"));
    assert.deepEqual(
      last.map(({ msg, sequence, id, text }) => [msg, sequence ?? id, text]),
      [
        ["init", 5, "ABCDE"],
        ["event", 6, undefined],
        ["command", 1, undefined],
      ],
    );
  });

  test("a journal that lacks an event holds its entity back by name, and no other; what it has is left as it is", async () => {
    const { model, gateway } = opened;
    for (const letter of "ABC") await gateway.call(request("torn", { emit: letter }));
    await gateway.call(request("other", { emit: "X" }));
    await untilAsleep(model, "torn");
    await untilAsleep(model, "other");
    const redis = world.cluster.redis.connect();
    const [journal = ""] = await redis.keys(`${world.cluster.keyPrefix}:*:journal:sleepy/torn`);
    const [[first = ""] = []] = await redis.xrange(journal, "-", "+");
    await redis.xdel(journal, first);
    const failing = gateway.fail(request("torn", { emit: "D" }), { withinMs: 3_000 });
    const isTold = ({ msg, pid }: Record<string, unknown>) => msg === "process.quarantined" && pid === "sleepy/torn";
    const { reason } = await gateway.child.untilRecord(isTold, { ...WITHIN, what: "it is quarantined" });
    assert.match(String(reason), /event 1 of sleepy\/torn is missing/);
    assert.equal((await failing)[0], status.DEADLINE_EXCEEDED);
    assert.equal(await redis.xlen(journal), 2);
    assert.equal(await gateway.call(request("other", { emit: "Y" })), "XY");
  });

  test("an event that is none of a user function's holds its entity back by name", async () => {
    const { model, gateway } = opened;
    await gateway.call(request("foreign", { emit: "A" }));
    await untilAsleep(model, "foreign");
    const redis = world.cluster.redis.connect();
    const [journal = ""] = await redis.keys(`${world.cluster.keyPrefix}:*:journal:sleepy/foreign`);
    const [[id = "", fields = []] = []] = await redis.xrange(journal, "-", "+");
    await redis.del(journal);
    await redis.xadd(journal, id, ...fields.map((field) => (field.startsWith('"') ? '"***"' : field)));
    const failing = gateway.fail(request("foreign", { emit: "B" }), { withinMs: 3_000 });
    const isTold = ({ msg, pid }: Record<string, unknown>) => msg === "process.quarantined" && pid === "sleepy/foreign";
    const { reason } = await gateway.child.untilRecord(isTold, { ...WITHIN, what: "it is quarantined" });
    assert.match(String(reason), /event 1 is not base64/);
    await failing;
  });
});

suite("a gateway whose surroundings end", () => {
  let opened: Opened;
  before(async () => {
    opened = await open("mortal");
  });
  after(() => world.stopNodes());

  test("CS-12: a user function that is killed mid-command fails its caller; once it is back the next command replays", async () => {
    const { model, gateway } = opened;
    await gateway.call(request("cart", { emit: "A" }));
    const failing = gateway.fail(request("cart", { emit: "lost" }, { waitMs: 60_000 }));
    await untilSaid(model, "command", 2);
    await model.kill();
    assert.deepEqual(await failing, [status.UNKNOWN, "Unexpected entity termination"]);
    await model.start();
    const answer = () => gateway.call(request("cart", { emit: "B" }));
    assert.equal(await until(answer, { ...WITHIN, what: "it answers again" }), "AB");
  });

  test("Redis that is away is UNAVAILABLE, and calls work again when it is back", async () => {
    const { gateway } = opened;
    await gateway.call(request("one", { emit: "A" }));
    await world.cluster.redis.kill();
    // What was under way when it died may have been done: that is another story.
    const isNoticed = async () => (await fetch(`${gateway.url}/ready`)).status === 503;
    await until(isNoticed, { ...WITHIN, what: "the gateway notices" });
    assert.equal((await gateway.fail(request("one", { emit: "lost" })))[0], status.UNAVAILABLE);
    await world.cluster.redis.restart();
    const answer = () => gateway.call(request("one", { emit: "B" }));
    assert.match(await until(answer, { withinMs: 60_000, what: "it answers again" }), /B$/);
  });

  test("CS-14: what was answered outlives the gateway, the user function and Redis", async () => {
    const { model, gateway, port } = opened;
    await world.cluster.redis.connect().config("SET", "appendfsync", "always");
    await gateway.call(request("kept", { emit: "A" }));
    await gateway.child.stop();
    await model.stop();
    await world.cluster.redis.restart();
    const again = await open("mortal");
    assert.notEqual(again.port, port);
    assert.equal(await again.gateway.call(request("kept", { emit: "B" })), "AB");
  });
});

suite("a gateway of one's own", () => {
  afterEach(() => world.stopNodes());

  test("the events of a long journal are all replayed, however slowly they are read", async () => {
    const { gateway } = await open("long", { model: { SNAPSHOT_EVERY: "1000000" } });
    const many = Array.from({ length: 2_500 }, (): Step => ({ emit: "x".repeat(100) }));
    await gateway.call(request("many", ...many));
    await gateway.call(request("many", { emit: "y" }));
    assert.equal((await gateway.fail(request("many", { misbehave: "end" })))[0], status.UNKNOWN);
    assert.equal(await gateway.call(request("many")), `${"x".repeat(250_000)}y`);
  });

  test("CS-9: a passivation strategy of 100 ms closes the stream within 2 s", async () => {
    const port = await findFreePort();
    const model = await world.startModel(port, { PASSIVATION_MS: "100" });
    const gateway = await world.startGateway(port);
    await gateway.untilOpen();
    await gateway.call(request("strategy", { emit: "A" }));
    // A machine that does other things at the same time gets more than is promised.
    await until(() => records(model, "end").length > 0, { withinMs: 5_000, what: "the stream is closed" });
  });

  test("a full mailbox is RESOURCE_EXHAUSTED", async () => {
    const { gateway } = await open("full", { gateway: { RELAY_BUFFER_SIZE: "3" } });
    const slow = Array.from({ length: 20 }, () =>
      gateway.call(request("one", { waitMs: 200 })).then(() => status.OK, codeOf),
    );
    const codes = await Promise.all(slow);
    assert.ok(codes.includes(status.RESOURCE_EXHAUSTED), String(codes));
    assert.ok(codes.includes(status.OK), String(codes));
  });

  test("an entity under the name of a worker's module is refused by name, and the module's processes are left alone", async () => {
    const { gateway } = await open("accumulator");
    const isRefused = ({ msg, reason }: Record<string, unknown>) =>
      msg === "discovery.refused" && reason === "model.Model: workers run a module of the name accumulator";
    await gateway.child.untilRecord(isRefused, { ...WITHIN, what: "it is refused" });
    assert.equal((await gateway.fail(request("one")))[0], status.UNIMPLEMENTED);
    assert.equal(await gateway.call(request("one", { emit: "A" }), { method: "/model.Two/Call" }), "A");
    const { status: code } = await world.cluster.client.start("accumulator", "one", { args: 1 });
    assert.equal(code, 201);
  });

  test("a gateway that is told to leave answers what is in flight, and takes no more", async () => {
    const { model, gateway } = await open("leaving");
    const inFlight = gateway.call(request("one", { waitMs: 500 }, { emit: "A" }));
    await untilSaid(model, "command");
    await gateway.child.stop();
    assert.equal(await inFlight, "A");
    assert.equal((await gateway.child.untilExit()).code, 0);
    assert.equal((await gateway.fail(request("one")))[0], status.UNAVAILABLE);
  });
});
