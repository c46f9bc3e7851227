import assert from "node:assert/strict";
import { test } from "node:test";
import { type } from "arktype";
import { defineServer, noreply, reply } from "genserverless";
import type { ServerModule } from "genserverless/server-module.ts";
import * as v from "valibot";
import { z } from "zod";
import { openDoor } from "./door.test-support.ts";

const keep = <State>(_args: unknown, state: State) => noreply(state);
const Tree = z.object({
  name: z.string(),
  get kids() {
    return z.array(Tree);
  },
});
const Money = z.object({ cents: z.int() }).meta({ id: "Money" });

const account: ServerModule = defineServer({
  name: "account~1",
  version: 1,
  init: () => 0,
  calls: {
    deposit: {
      args: z.object({ amount: z.coerce.number().positive() }),
      reply: z.object({ balance: z.number() }),
      handle: (_args, _from, state) => reply({ balance: state }, state),
    },
    "pay:out": { args: z.object({ from: Money, to: Money }), handle: (_args, _from, state) => reply(1, state) },
    total: (_args, _from, state) => reply(state, state),
  },
  casts: {
    grow: { args: Tree, handle: keep },
    at: { args: z.object({ date: z.date() }), handle: keep },
    maybe: { args: z.string().optional(), handle: keep },
    ark: { args: type({ "n?": "number>0" }), handle: keep },
    vali: { args: v.object({ n: v.number() }), handle: keep },
  },
  handleCast: keep,
});
const raw: ServerModule = defineServer({ name: "raw", version: 1, init: () => 0, handleCast: keep });

type Json = Record<string, unknown>;

interface Operation {
  operationId: string;
  parameters: Json[];
  requestBody: { content: Record<string, { schema: Json }> };
  responses: Record<string, { content: Record<string, { schema: Json }> }>;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json> };
}

async function describe(...modules: ServerModule[]): Promise<Document> {
  const byName = new Map(modules.map((module) => [module.name, module]));
  await using door = await openDoor({ modules: () => byName });
  const { json } = await door.ask("GET", "/openapi.json");
  return json as unknown as Document;
}

/** What a reference inside the document points to. */
function lookUp(document: Document, reference: string): unknown {
  const steps = reference.replace(/^#\//, "").split("/");
  const plain = steps.map((step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~"));
  return plain.reduce<unknown>((inner, step) => (inner as Json | undefined)?.[step], document);
}

const CALL = "/v1/processes/account~1/{key}/call";

test("a module with named handlers has paths of its own, beside the general ones", async () => {
  const document = await describe(account, raw);
  const general = Object.keys((await describe()).paths);
  const own = Object.keys(document.paths).filter((path) => !general.includes(path));
  assert.deepEqual(own, [CALL, "/v1/processes/account~1/{key}/cast"]);
  const call = document.paths[CALL]?.["post"];
  assert.equal(call?.operationId, "call.account~1");
  assert.deepEqual(
    call?.parameters.map(({ name }) => name),
    ["key", "Idempotency-Key"],
  );
  assert.deepEqual(call?.requestBody.content["application/json"]?.schema, {
    type: "object",
    properties: {
      message: { $ref: "#/components/schemas/account._.1.calls" },
      timeoutMs: { default: 5000, type: "integer", minimum: 1, maximum: 600_000 },
    },
    required: ["message"],
    additionalProperties: false,
  });
});

test("a message is one of the handlers with its arguments, as they are sent", async () => {
  const { components } = await describe(account);
  const variants = components.schemas["account._.1.calls"]?.["oneOf"] as Json[];
  assert.deepEqual(
    variants.map(({ title }) => title),
    ["deposit", "pay:out", "total", "total, by its name alone"],
  );
  assert.deepEqual(variants[2], {
    title: "total",
    type: "object",
    properties: { total: { description: "Not checked" } },
    required: ["total"],
    additionalProperties: false,
  });
  assert.equal(variants[3]?.["const"], "total");
});

test("each library's validators are described as far as they can be", async () => {
  const { components } = await describe(account);
  const variants = components.schemas["account._.1.casts"]?.["anyOf"] as { title: string; properties: Json }[];
  const schemaOf = (name: string) => variants.find(({ title }) => title === name)?.properties[name];
  assert.deepEqual(schemaOf("ark"), { type: "object", properties: { n: { type: "number", exclusiveMinimum: 0 } } });
  assert.deepEqual(schemaOf("vali"), { description: "Checked by valibot" });
  assert.deepEqual(schemaOf("at"), { type: "object", properties: { date: {} }, required: ["date"] });
  const titles = variants.map(({ title }) => title);
  assert.ok(titles.includes("maybe, by its name alone") && !titles.includes("ark, by its name alone"));
  assert.equal(titles.at(-1), "handleCast");
});

test("every reference leads somewhere, also those of a schema to itself", async () => {
  const document = await describe(account);
  const text = JSON.stringify(document.components.schemas);
  const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] as string);
  for (const reference of references) assert.ok(lookUp(document, reference), reference);
  assert.ok(references.some((reference) => reference.endsWith("/properties/grow")));
  assert.ok(references.some((reference) => reference.endsWith("/properties/pay:out/$defs/Money")));
});

test("replies are described where a handler says what they are", async () => {
  const document = await describe(account);
  const schema = document.paths[CALL]?.["post"]?.responses["200"]?.content["application/json"]?.schema;
  assert.deepEqual(schema?.["properties"], {
    reply: { $ref: "#/components/schemas/account._.1.calls.replies" },
    messageId: { type: "string" },
  });
  const replies = document.components.schemas["account._.1.calls.replies"]?.["anyOf"] as Json[];
  assert.deepEqual(
    replies.map(({ title, type }) => [title, type]),
    [
      ["deposit", "object"],
      ["pay:out", undefined],
      ["total", undefined],
    ],
  );
});

test("the document is made anew when the modules have changed", async () => {
  let modules: ReadonlyMap<string, ServerModule> = new Map([["raw", raw]]);
  await using door = await openDoor({ modules: () => modules });
  const paths = async () => Object.keys((await door.ask("GET", "/openapi.json")).json["paths"] as object);
  assert.ok(!(await paths()).includes(CALL));
  modules = new Map([["account~1", account]]);
  assert.ok((await paths()).includes(CALL));
});
