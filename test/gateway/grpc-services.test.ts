/** What a gateway says of itself over gRPC: reflection and health. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { findFreePort } from "@genserverless/local/ports.ts";
import { status } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { assertNoChildLeft, type Child } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { type Gateway, GatewayCluster } from "./gateway-cluster.ts";
import { modelFile } from "./model/messages.ts";

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Check { string service = 1; }
  message Checked { int32 status = 1; }
  message Ask { string host = 1; string file_by_filename = 3; string file_containing_symbol = 4; string list_services = 7; }
  message Files { repeated bytes file = 1; }
  message Names { message Name { string name = 1; } repeated Name service = 1; }
  message Failure { int32 code = 1; }
  message Told { Files files = 4; Names names = 6; Failure failure = 7; }
`);
const world = new GatewayCluster();
let gateway: Gateway;
let model: Child;

before(async () => {
  await world.start();
  const port = await findFreePort();
  model = await world.startModel(port);
  gateway = await world.startGateway(port);
  await gateway.untilOpen();
});
after(async () => {
  await world.stop();
  assertNoChildLeft();
});

const encode = (name: string, message: object) => Buffer.from(root.lookupType(name).encode(message).finish());

/** 1 is serving, 2 is not. */
async function check(service: string): Promise<number> {
  const answer = await gateway.callRaw(encode("Check", { service }), { method: "/grpc.health.v1.Health/Check" });
  return (root.lookupType("Checked").decode(answer) as unknown as { status: number }).status;
}

test("CS-15: health serves each service by name, and knows no others", async () => {
  assert.equal(await check(""), 1);
  assert.equal(await check("model.Model"), 1);
  await assert.rejects(check("absent.Service"), { code: status.NOT_FOUND });
});

for (const version of ["v1", "v1alpha"]) {
  test(`reflection (${version}) lists the services, and tells their files as the user function gave them`, async () => {
    const listed = await ask(version, { listServices: "*" });
    const names = listed.names?.service.map(({ name }) => name);
    assert.deepEqual(names?.sort(), ["model.Act", "model.Model", "model.Two", "model.Value"]);
    const { files } = await ask(version, { fileContainingSymbol: "model.Model.Process" });
    assert.deepEqual(
      files?.file.map((file) => Buffer.from(file)),
      [modelFile()],
    );
    const { files: same } = await ask(version, { fileByFilename: "model.proto" });
    assert.deepEqual(same, files);
    for (const symbol of ["model.Request", "model.Request.script"]) {
      assert.deepEqual((await ask(version, { fileContainingSymbol: symbol })).files, files);
    }
    const { failure } = await ask(version, { fileContainingSymbol: "model.Absent" });
    assert.equal(failure?.code, status.NOT_FOUND);
  });
}

test("CS-15: health says so while the user function is away", async () => {
  await model.kill();
  await until(async () => (await check("model.Model")) === 2, { withinMs: 20_000, what: "it does not serve" });
  await model.start();
  await until(async () => (await check("model.Model")) === 1, { withinMs: 20_000, what: "it serves again" });
});

interface Told {
  files?: { file: Uint8Array[] };
  names?: { service: { name: string }[] };
  failure?: { code: number };
}

function ask(version: string, question: object): Promise<Told> {
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const asTheyAre = (bytes: Buffer) => bytes;
  return new Promise((resolve, reject) => {
    const stream = gateway.client.makeBidiStreamRequest(path, asTheyAre, asTheyAre);
    stream.on("error", reject);
    stream.on("data", (bytes: Buffer) => {
      resolve(root.lookupType("Told").decode(bytes) as unknown as Told);
      stream.end();
    });
    stream.write(encode("Ask", question));
  });
}
