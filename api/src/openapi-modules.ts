/**
 * What the modules' named handlers take, for the OpenAPI document: a path of its own for each module and kind of message. The
 * router knows none of them; they are cases of the general route, with the message described.
 */

import type { Handler, HandlerKind, Handlers, Schema } from "genserverless/handlers.ts";
import { handlersOf, type MessageCallback } from "genserverless/runtime/dispatch.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import { z } from "zod";

type Json = Record<string, unknown>;

export interface MessageDescription {
  /** The name of the route that it is a case of. */
  route: string;
  module: string;
  /** The name under `components.schemas` of what may be sent. */
  message: string;
  /** Of what may be replied; undefined where no handler says so. */
  reply: string | undefined;
}

const KINDS: [route: string, callback: MessageCallback, kind: HandlerKind][] = [
  ["call", "handleCall", "calls"],
  ["cast", "handleCast", "casts"],
  ["info", "handleInfo", "infos"],
];

/** Adds what it describes to `schemas`. */
export function describeMessages(modules: Iterable<ServerModule>, schemas: Record<string, Json>): MessageDescription[] {
  const descriptions: MessageDescription[] = [];
  for (const module of modules) {
    for (const [route, callback, kind] of KINDS) {
      const handlers = handlersOf(module, callback);
      if (!handlers) continue;
      const message = `${module.name.replaceAll("~", "._.")}.${kind}`;
      const reply = Object.values(handlers).some((handler) => handler.reply) ? `${message}.replies` : undefined;
      schemas[message] = describeHandlers(handlers, module[callback] ? callback : undefined, pointTo(message));
      if (reply) schemas[reply] = describeReplies(handlers, pointTo(reply));
      descriptions.push({ route, module: module.name, message, reply });
    }
  }
  return descriptions;
}

export function pointTo(schema: string): string {
  return `#/components/schemas/${schema}`;
}

function describeHandlers(handlers: Handlers, raw: string | undefined, pointer: string): Json {
  // One of these, unless there is a raw callback, which takes anything.
  const choice = raw ? "anyOf" : "oneOf";
  const variants: Json[] = [];
  for (const [name, handler] of Object.entries(handlers)) {
    const place = `${pointer}/${choice}/${variants.length}/properties/${name.replaceAll("~", "~0")}`;
    const args = handler.args ? toJsonSchema(handler.args, "input", place) : { description: "Not checked" };
    variants.push({
      title: name,
      type: "object",
      properties: { [name]: args },
      required: [name],
      additionalProperties: false,
    });
    if (takesNothing(handler)) variants.push({ title: `${name}, by its name alone`, const: name });
  }
  if (raw) variants.push({ title: raw, description: "Anything else" });
  return { [choice]: variants };
}

function takesNothing({ args }: Handler): boolean {
  if (!args) return true;
  try {
    const result = args["~standard"].validate(undefined);
    if (!(result instanceof Promise)) return !result.issues;
    result.catch(() => {});
  } catch {
    // A validator that throws takes nothing of the kind.
  }
  return false;
}

function describeReplies(handlers: Handlers, pointer: string): Json {
  const describe = ([name, { reply }]: [string, Handler], index: number): Json => ({
    title: name,
    ...(reply && toJsonSchema(reply, "output", `${pointer}/anyOf/${index}`)),
  });
  return { anyOf: Object.entries(handlers).map(describe) };
}

/** What a validator says of itself; `pointer` is where in the document that will stand. */
function toJsonSchema(schema: Schema, io: "input" | "output", pointer: string): Json {
  const described = describeItself(schema, io) ?? describeZod(schema, io);
  const { $schema: _, ...json } = described ?? { description: `Checked by ${schema["~standard"].vendor}` };
  return relocate(json, pointer) as Json;
}

function describeItself(schema: Schema, io: "input" | "output"): Json | undefined {
  const { jsonSchema } = schema["~standard"] as { jsonSchema?: Record<typeof io, (options: object) => Json> };
  try {
    return jsonSchema?.[io]({ target: "draft-2020-12" });
  } catch {
    return undefined;
  }
}

/** Zod says of itself only what JSON Schema has a word for; here the rest is left open. */
function describeZod(schema: Schema, io: "input" | "output"): Json | undefined {
  if (!(schema instanceof Object) || !("_zod" in schema)) return undefined;
  try {
    return z.toJSONSchema(schema as unknown as z.ZodType, { io, unrepresentable: "any" });
  } catch {
    return undefined;
  }
}

/** References of a schema to itself, `#…`, are references into the document. */
function relocate(json: unknown, pointer: string): unknown {
  if (Array.isArray(json)) return json.map((each) => relocate(each, pointer));
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => [
      name,
      name === "$ref" && typeof value === "string" && value.startsWith("#")
        ? pointer + value.slice(1)
        : relocate(value, pointer),
    ]),
  );
}
