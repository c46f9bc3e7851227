import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { findFreePort } from "@genserverless/local/ports.ts";
import { status } from "@grpc/grpc-js";
import { assertNoChildLeft, type Child } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { type Gateway, GatewayCluster } from "./gateway-cluster.ts";
import { modelFile, modelSet, request } from "./model/messages.ts";

const WITHIN = { withinMs: 20_000 };
const EVENT_SOURCED = "cloudstate.eventsourced.EventSourced";
const world = new GatewayCluster();

before(() => world.start());
afterEach(() => world.stopNodes());
after(async () => {
  await world.stop();
  assertNoChildLeft();
});

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => socket.end(() => resolve(true))).on("error", () => resolve(false));
  });
}

/** Of all that the gateway refused so far, why. */
function refusals({ child }: Gateway): string[] {
  return child.records.filter(({ msg }) => msg === "discovery.refused").map(({ reason }) => String(reason));
}

async function untilRefused(gateway: Gateway, why: RegExp): Promise<void> {
  await until(() => refusals(gateway).some((reason) => why.test(reason)), { ...WITHIN, what: `it refuses: ${why}` });
}

for (const protocol of ["cloudstate", "lightbend"]) {
  test(`CS-1 (${protocol}): the port is bound after the first discovery, which is tried until then, and told once`, async () => {
    const port = await findFreePort();
    const gateway = await world.startGateway(port);
    await gateway.child.untilRecord(({ msg }) => msg === "discovery.waiting", { ...WITHIN, what: "it waits" });
    assert.equal(await isOpen(gateway.port), false);
    const model = await world.startModel(port, { PROTOCOL: protocol });
    await gateway.untilOpen();
    assert.equal(await gateway.call(request(protocol, { emit: "A" })), "A");
    const told = gateway.child.records.filter(({ msg }) => msg === "discovery.waiting");
    assert.equal(told.length, 1);
    await gateway.child.stop();
    await model.stop();
  });
}

test("CS-1: a user function that is there before the gateway is served at once", async () => {
  const port = await findFreePort();
  await world.startModel(port);
  const gateway = await world.startGateway(port);
  await gateway.untilOpen();
  assert.equal(await gateway.call(request("before", { emit: "A" })), "A");
  await gateway.child.stop();
});

test("what a user function says that cannot be served is refused by name, told to it, and found when it is put right", async () => {
  const port = await findFreePort();
  const gateway = await world.startGateway(port);
  const key = { name: "id", key: 1080 as const };
  const keyless = modelSet({ messages: { Request: [{ name: "id" }], Response: [{ name: "message" }] } });
  const listKey = modelSet({ messages: { Request: [{ ...key, isRepeated: true }], Response: [{ name: "message" }] } });
  const streamed = modelSet({ services: { Model: [{ name: "Process", streamsOut: true }] } });
  const health = modelSet({ package: "grpc.health.v1", services: { Health: [{ name: "Check" }] } });
  const model = { entityType: EVENT_SOURCED, serviceName: "model.Model", persistenceId: "model" };
  const two = { ...model, serviceName: "model.Two" };
  const later = (why: RegExp, changes: object): [string, RegExp, Record<string, string>] => [
    "cloudstate",
    why,
    { SPEC: JSON.stringify({ entities: [model], ...changes }) },
  ];
  const first = (why: RegExp, changes: object): [string, RegExp, Record<string, string>] => [
    "lightbend",
    why,
    { SPEC: JSON.stringify(changes) },
  ];
  const cases = [
    later(/names no entities/, { entities: [] }),
    later(/model\.Absent: the service is not in the descriptor/, {
      entities: [{ ...model, serviceName: "model.Absent" }],
    }),
    later(/cloudstate\.crdt\.Crdt is not supported/, { entities: [{ ...model, entityType: "cloudstate.crdt.Crdt" }] }),
    later(/streamed methods are not supported: Process/, { proto: streamed.toString("base64") }),
    later(/Process: no field of model\.Request is an entity_key/, { proto: keyless.toString("base64") }),
    later(/entity key model\.Request\.id is neither/, { proto: listKey.toString("base64") }),
    later(/protocol 0\.3 is not spoken/, { serviceInfo: { protocolMajor: 0, protocolMinor: 3 } }),
    later(/protocol 1\.0 is not spoken/, { serviceInfo: { protocolMajor: 1, protocolMinor: 0 } }),
    later(/persistence_id model is that of model\.Two too/, { entities: [model, two] }),
    later(/grpc\.health\.v1\.Health: the gateway serves one of this name itself/, {
      proto: health.toString("base64"),
      entities: [{ ...model, serviceName: "grpc.health.v1.Health" }],
    }),
    later(/no persistence_id/, { entities: [{ ...model, persistenceId: "" }] }),
    later(/descriptor is none/, { proto: Buffer.from("no descriptor at all").toString("base64") }),
    later(/descriptor is none/, { proto: "" }),
    later(/answer is too large/, { protoBytes: 50 * 1024 * 1024 }),
    first(/model\.Absent: the service is not in the descriptor/, { serviceName: "model.Absent" }),
    first(/descriptor is none/, { proto: Buffer.from("no descriptor at all").toString("base64") }),
    first(/no field of model\.Request is an entity_key/, {
      proto: modelFile({ messages: { Request: [{ name: "id" }], Response: [{ name: "message" }] } }).toString("base64"),
    }),
  ];
  const lives = cases.map(([protocol, , env]) => ({ PROTOCOL: protocol, ...env }));
  const user = await world.startModel(port, { LIVES: JSON.stringify([...lives, {}]) });
  let before = 0;
  for (const [index, [protocol, why]] of cases.entries()) {
    await until(
      () =>
        refusals(gateway)
          .slice(before)
          .some((reason) => why.test(reason)),
      {
        ...WITHIN,
        what: `case ${index} is refused: ${why}`,
      },
    );
    if (protocol === "cloudstate") await user.untilRecord(isReported(why), { ...WITHIN, what: "it is told" });
    assert.equal(await isOpen(gateway.port), false);
    before = refusals(gateway).length;
    user.signal("SIGHUP");
  }
  await gateway.untilOpen();
  assert.equal(await gateway.call(request("right", { emit: "A" })), "A");
});

function isReported(why: RegExp) {
  return ({ msg, message }: Record<string, unknown>) => msg === "reported" && why.test(String(message));
}

test("what cannot be served of several entities leaves the others as they are", async () => {
  const port = await findFreePort();
  const entities = [
    { entityType: EVENT_SOURCED, serviceName: "model.Model", persistenceId: "model" },
    { entityType: "cloudstate.crdt.Crdt", serviceName: "model.Two", persistenceId: "two" },
  ];
  await world.startModel(port, { SPEC: JSON.stringify({ entities }) });
  const gateway = await world.startGateway(port);
  await gateway.untilOpen();
  await untilRefused(gateway, /^model\.Two: the entity type cloudstate\.crdt\.Crdt is not supported/);
  assert.equal(await gateway.call(request("others", { emit: "A" })), "A");
  assert.deepEqual((await gateway.fail(request("others"), { method: "/model.Two/Call" }))[0], status.UNIMPLEMENTED);
});

for (const [major, minor] of [
  [0, 1],
  [0, 2],
  [0, 0],
] as const) {
  test(`a library of protocol ${major}.${minor} is served`, async () => {
    const port = await findFreePort();
    const entities = [{ entityType: EVENT_SOURCED, serviceName: "model.Model", persistenceId: `v${major}${minor}` }];
    const serviceInfo = { protocolMajor: major, protocolMinor: minor };
    await world.startModel(port, { SPEC: JSON.stringify({ entities, serviceInfo }) });
    const gateway = await world.startGateway(port);
    await gateway.untilOpen();
    assert.equal(await gateway.call(request("any", { emit: "A" })), "A");
  });
}

test("a user function that comes back with other services is served anew, and keeps what it had", async () => {
  const port = await findFreePort();
  const entity = { entityType: EVENT_SOURCED, serviceName: "model.Model", persistenceId: "changing" };
  const old = await world.startModel(port, { SPEC: JSON.stringify({ entities: [entity] }) });
  const gateway = await world.startGateway(port);
  await gateway.untilOpen();
  await gateway.call(request("kept", { emit: "A" }));
  assert.equal((await gateway.fail(request("kept"), { method: "/model.Two/Call" }))[0], status.UNIMPLEMENTED);
  await old.kill();
  const both = [entity, { ...entity, serviceName: "model.Two", persistenceId: "changing-two" }];
  await world.startModel(port, { SPEC: JSON.stringify({ entities: both }) });
  const answer = () => gateway.call(request("new", { emit: "B" }), { method: "/model.Two/Call" });
  assert.match(await until(answer, { ...WITHIN, what: "the new service answers" }), /B/);
  assert.equal(await gateway.call(request("kept", { emit: "C" })), "AC");
});

test("a user function that stands still is found out by a command without an answer, and served when it goes on", async () => {
  const port = await findFreePort();
  const model = await world.startModel(port);
  const gateway = await world.startGateway(port, { RELAY_TIMEOUT_MS: "2000" });
  await gateway.untilOpen();
  await gateway.call(request("still", { emit: "A" }));
  await model.pause();
  assert.equal((await gateway.fail(request("still", { emit: "?" })))[0], status.DEADLINE_EXCEEDED);
  await gateway.child.untilRecord(({ msg }) => msg === "user-function.lost", { ...WITHIN, what: "it is lost" });
  assert.equal((await gateway.fail(request("still")))[0], status.UNAVAILABLE);
  assert.equal((await fetch(`${gateway.url}/ready`)).status, 503);
  model.resume();
  const answer = () => gateway.call(request("still", { emit: "B" }));
  assert.equal(await until(answer, { ...WITHIN, what: "it is served again" }), "AB");
});

test("a command without an answer is no reason to leave a user function that answers others", async () => {
  const port = await findFreePort();
  const model = await world.startModel(port);
  const gateway = await world.startGateway(port, { RELAY_TIMEOUT_MS: "2000" });
  await gateway.untilOpen();
  const asked = () => model.records.filter(({ msg }) => msg === "discover").length;
  const before = asked();
  await gateway.fail(request("silent", { misbehave: "never" }));
  await until(() => asked() > before, { ...WITHIN, what: "it is asked" });
  assert.equal(await gateway.call(request("beside", { emit: "A" })), "A");
  assert.equal(gateway.child.records.filter(({ msg }) => msg === "user-function.lost").length, 0);
});

test("while the user function is away callers are told UNAVAILABLE, and served when it is back", async () => {
  const port = await findFreePort();
  const env = {
    SPEC: JSON.stringify({
      entities: [{ entityType: EVENT_SOURCED, serviceName: "model.Model", persistenceId: "away" }],
    }),
  };
  const model: Child = await world.startModel(port, env);
  const gateway = await world.startGateway(port);
  await gateway.untilOpen();
  await gateway.call(request("away", { emit: "A" }));
  await model.kill();
  await gateway.child.untilRecord(({ msg }) => msg === "user-function.lost", { ...WITHIN, what: "it is lost" });
  assert.deepEqual(await gateway.fail(request("away", { emit: "B" })), [
    status.UNAVAILABLE,
    "The user function cannot be reached",
  ]);
  assert.equal((await fetch(`${gateway.url}/ready`)).status, 503);
  await model.start();
  const answer = () => gateway.call(request("away", { emit: "C" }));
  assert.equal(await until(answer, { ...WITHIN, what: "it is served again" }), "AC");
  assert.equal((await fetch(`${gateway.url}/ready`)).status, 200);
});
