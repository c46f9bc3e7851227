import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRORS, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import { createApp } from "./app.ts";
import { openDoor, partsForRefusing } from "./door.test-support.ts";
import { toTemplate } from "./openapi.ts";

interface Operation {
  operationId: string;
  parameters: { name: string; in: string; schema: object }[];
  requestBody?: { content: Record<string, { schema: { $ref: string } }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
}

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties: Record<string, { enum?: string[] }> }> };
}

async function readDocument(): Promise<Document> {
  await using door = await openDoor();
  const { json } = await door.ask("GET", "/openapi.json");
  return json as unknown as Document;
}

function operationsOf({ paths }: Document): [name: string, operation: Operation][] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation]),
  );
}

/** What Express really serves, asked of its own router; `all` layers are those that refuse other methods. */
function servedRoutes(): string[] {
  const layers = createApp(partsForRefusing()).router.stack;
  return layers.flatMap(({ route }) => {
    const methods = Object.keys((route as { methods?: Record<string, boolean> } | undefined)?.methods ?? {});
    return methods.filter((method) => method !== "_all").map((method) => `${method} ${toTemplate(route?.path ?? "")}`);
  });
}

test("the document describes every route that is served, and no other", async () => {
  const described = operationsOf(await readDocument()).map(([name]) => name);
  assert.deepEqual(described.sort(), servedRoutes().sort());
  assert.equal(described.length, 53);
});

test("the document is OpenAPI 3.1 and every reference in it leads somewhere", async () => {
  const document = await readDocument();
  assert.equal(document.openapi, "3.1.0");
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] as string);
  assert.ok(references.length > 30);
  for (const reference of new Set(references)) {
    assert.ok(document.components.schemas[reference.replace("#/components/schemas/", "")], reference);
  }
  const ids = operationsOf(document).map(([, { operationId }]) => operationId);
  assert.equal(new Set(ids).size, ids.length);
});

test("every path parameter is described", async () => {
  for (const [name, { parameters }] of operationsOf(await readDocument())) {
    const inPath = parameters.filter((parameter) => parameter.in === "path").map((parameter) => `{${parameter.name}}`);
    assert.deepEqual(inPath, name.match(/\{\w+\}/g) ?? [], name);
  }
});

test("every code of the error table is in the document, under its own status", async () => {
  const document = await readDocument();
  const codes = Object.keys(ERRORS) as ErrorCode[];
  assert.deepEqual(document.components.schemas["Problem"]?.properties["code"]?.enum, codes);
  const found = new Set<string>();
  for (const [name, { responses }] of operationsOf(document)) {
    for (const [status, { content }] of Object.entries(responses)) {
      const problem = content?.["application/problem+json"]?.schema;
      const { code } = (problem as { allOf: { properties?: { code: { enum: ErrorCode[] } } }[] } | undefined)?.allOf[1]
        ?.properties ?? { code: { enum: [] } };
      for (const each of code.enum) {
        assert.equal(String(ERRORS[each][0]), status, `${each} of ${name}`);
        found.add(each);
      }
    }
  }
  // These belong to what is no operation, to what functions answer themselves, and to the load balancer.
  const missing = codes.filter((code) => !found.has(code));
  assert.deepEqual(missing, ["unknown_route", "method_not_allowed", "upgrade_unsupported", "no_api"]);
});

test("requests are described by what validates them", async () => {
  const { paths, components } = await readDocument();
  const call = paths["/v1/processes/{module}/{key}/call"]?.["post"];
  assert.equal(call?.requestBody?.content["application/json"]?.schema.$ref, "#/components/schemas/CallRequest");
  assert.deepEqual(components.schemas["CallRequest"], {
    type: "object",
    properties: { message: {}, timeoutMs: { default: 5000, type: "integer", minimum: 1, maximum: 600_000 } },
    required: ["message"],
    additionalProperties: false,
  });
  const limit = paths["/v1/processes"]?.["get"]?.parameters.find(({ name }) => name === "limit");
  assert.deepEqual(limit?.schema, { default: 100, type: "integer", minimum: 1, maximum: 1000 });
});
