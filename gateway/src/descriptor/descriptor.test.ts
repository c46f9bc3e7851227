import assert from "node:assert/strict";
import { test } from "node:test";
import protobuf from "protobufjs";
import { encodeFile, encodeSet, type FileGiven } from "../../../test/gateway/model/descriptor.ts";
import { DescriptorError, readDescriptorFile, readDescriptorSet } from "./descriptor.ts";
import { readEntityId } from "./entity-key.ts";

const file: FileGiven = {
  package: "shop.v1",
  messages: {
    Request: [{ name: "user_id", key: 1080 }, { name: "name" }, { name: "count", type: 5, key: 50002 }],
    Response: [{ name: "message" }],
  },
  services: {
    Cart: [
      {
        name: "Add",
        http: {
          post: "/cart/{user_id}",
          body: "*",
          additionalBindings: [{ get: "/old/{user_id}", responseBody: "message" }],
        },
      },
      { name: "Watch", streamsOut: true },
    ],
  },
};

function request(userId: string, name: string, count: number): Uint8Array {
  return protobuf.Writer.create().uint32(10).string(userId).uint32(18).string(name).uint32(24).int32(count).finish();
}

test("CS-2: services and methods are read of a set, with the types and the paths of their calls", () => {
  const { services } = readDescriptorSet(encodeSet([encodeFile(file)]));
  assert.deepEqual([...services.keys()], ["shop.v1.Cart"]);
  const [add, watch] = services.get("shop.v1.Cart")?.methods ?? [];
  assert.equal(add?.path, "/shop.v1.Cart/Add");
  assert.equal(add?.inputType, "shop.v1.Request");
  assert.equal(add?.outputType, "shop.v1.Response");
  assert.equal(add?.isStreamed, false);
  assert.equal(watch?.isStreamed, true);
});

test("CS-3: the entity id is the key fields in their order, joined, under either number of the option", () => {
  const { services } = readDescriptorFile(encodeFile(file));
  const [add] = services.get("shop.v1.Cart")?.methods ?? [];
  const keys = add?.keyFields ?? [];
  assert.equal(readEntityId(keys, request("alice", "Eggs", 3)), "alice-3");
  assert.equal(readEntityId(keys, request("", "Eggs", -1)), "--1");
  assert.equal(readEntityId(keys, Buffer.alloc(0)), "-0", "what is absent is what it is by default");
});

test("CS-3: of a key field that comes twice the last counts, as in any message", () => {
  const [add] = readDescriptorFile(encodeFile(file)).services.get("shop.v1.Cart")?.methods ?? [];
  const twice = Buffer.concat([request("a", "x", 1), request("b", "y", 2)]);
  assert.equal(readEntityId(add?.keyFields ?? [], twice), "b-2");
});

test("a request that is no message has no entity id", () => {
  const [add] = readDescriptorFile(encodeFile(file)).services.get("shop.v1.Cart")?.methods ?? [];
  assert.throws(() => readEntityId(add?.keyFields ?? [], Buffer.from([0x0a, 0xff, 0x01])));
  assert.throws(() => readEntityId(add?.keyFields ?? [], Buffer.from([0x00, 0x01])));
});

test("the rules of google.api.http are read with one level of additional bindings", () => {
  const [add] = readDescriptorFile(encodeFile(file)).services.get("shop.v1.Cart")?.methods ?? [];
  assert.deepEqual(add?.httpRules, [
    { method: "POST", path: "/cart/{user_id}", body: "*", responseBody: "" },
    { method: "GET", path: "/old/{user_id}", body: "", responseBody: "message" },
  ]);
});

test("a key that is a list or a message is named as a fault", () => {
  const faulty = (key: object) =>
    readDescriptorFile(
      encodeFile({ ...file, messages: { ...file.messages, Request: [{ name: "id", key: 1080, ...key }] } }),
    ).services.get("shop.v1.Cart")?.methods[0]?.keyFault;
  assert.match(faulty({ isRepeated: true }) ?? "", /shop\.v1\.Request\.id/);
  assert.match(faulty({ type: 11, typeName: ".shop.v1.Response" }) ?? "", /shop\.v1\.Request\.id/);
  assert.equal(faulty({ type: 5 }), undefined);
});

test("what is no descriptor is a DescriptorError", () => {
  for (const bytes of ["no descriptor at all", "", "\n\u0003abc"]) {
    assert.throws(() => readDescriptorSet(Buffer.from(bytes)), DescriptorError, JSON.stringify(bytes));
  }
});
