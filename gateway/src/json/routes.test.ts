import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFile, encodeSet } from "../../../test/gateway/model/descriptor.ts";
import { readSpec } from "../discovery/spec.ts";
import { JsonRoutes } from "./routes.ts";

const set = encodeSet([
  encodeFile({
    package: "t",
    messages: {
      Request: [
        { name: "id", key: 1080 },
        { name: "inner", type: 11, typeName: ".t.Inner" },
        { name: "inners", type: 11, typeName: ".t.Inner", isRepeated: true },
      ],
      Inner: [
        { name: "names", isRepeated: true },
        { name: "inner", type: 11, typeName: ".t.Inner" },
      ],
      Response: [{ name: "message" }],
    },
    services: {
      S: [
        {
          name: "Do",
          http: {
            get: "/right/{id}/{inner.names}",
            additionalBindings: [
              { get: "/absent/{absent}" },
              { get: "/flat/{id.x}" },
              { get: "/list/{inners.names}" },
              { get: "/{id" },
              { post: "/body/{id}", body: "absent" },
              { get: "/response/{id}", responseBody: "absent" },
            ],
          },
        },
      ],
    },
  }),
]);
const entity = { entityType: "cloudstate.eventsourced.EventSourced", serviceName: "t.S", persistenceId: "s" };
const routes = new JsonRoutes(readSpec({ proto: set, entities: [entity] }));

test("a rule that names what is not there is refused by name, and the others are served", () => {
  assert.deepEqual(routes.faults, [
    "t.S.Do, GET /absent/{absent}: absent is no field of t.Request",
    "t.S.Do, GET /flat/{id.x}: id.x: id has no fields",
    "t.S.Do, GET /list/{inners.names}: inners.names: inners has no fields",
    "t.S.Do, GET /{id: /{id is no path template",
    "t.S.Do, POST /body/{id}: absent is no field of t.Request",
    "t.S.Do, GET /response/{id}: absent is no field of t.Response",
  ]);
  assert.ok(routes.find("GET", "/right/a/b"));
  assert.equal(routes.find("GET", "/absent/a"), undefined);
});

const read = (path: string, query: string) =>
  Buffer.from(
    routes.find("GET", path)?.readRequest({ method: "GET", path, query: new URLSearchParams(query), body: "" }) ?? [],
  ).toString("hex");

test("a query sets fields within fields, and lists; the path has the last word", () => {
  const [id, inner] = ["0a0161", (names: string) => `12${names}`];
  assert.equal(read("/right/a/b", ""), `${id}${inner("030a0162")}`);
  assert.equal(
    read("/right/a/b", "id=other&inner.inner.names=x&inner.inner.names=y"),
    `${id}${inner("0b0a016212060a01780a0179")}`,
  );
});

test("a query that fits no field is a JsonError", () => {
  for (const query of [
    "absent=1",
    "__proto__=1",
    "__proto__.x=1",
    "constructor.name=1",
    "id.x=1",
    "inners=1",
    "inner=1",
  ]) {
    assert.throws(() => read("/right/a/b", query), { name: "JsonError" }, query);
  }
});
