/**
 * The OpenAPI 3.1 document, generated from the routes, the very schemas that validate their requests, and the validators of the
 * modules' named handlers.
 */

import { ERRORS, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import { z } from "zod";
import { describeMessages, type MessageDescription, pointTo } from "./openapi-modules.ts";
import * as functions from "./routes/functions-schemas.ts";
import * as journal from "./routes/journal-schemas.ts";
import * as aboutModules from "./routes/module-schemas.ts";
import * as operate from "./routes/operate-schemas.ts";
import type { AnswerDescription, Route } from "./routes/route.ts";
import * as common from "./routes/schemas.ts";
import * as work from "./routes/work-schemas.ts";

type Json = Record<string, unknown>;

const ANY_ROUTE: readonly ErrorCode[] = ["invalid_request", "internal_error"];
const GUARDED_ROUTE: readonly ErrorCode[] = ["unauthorized", "unknown_host", "redis_unavailable"];
const schemas = { ...common, ...operate, ...journal, ...aboutModules, ...work, ...functions };
const NAMES = new Map<z.ZodType, string>(Object.entries(schemas).map(([name, schema]) => [schema, name]));

export function describeRoutes(routes: readonly Route[], modules: ReadonlyMap<string, ServerModule>): Json {
  const paths: Record<string, Json> = {};
  const components = describeSchemas();
  for (const route of routes.filter(({ method }) => method !== "all")) {
    const path = toTemplate(route.path);
    paths[path] = { ...paths[path], [route.method]: describeRoute(route) };
  }
  for (const message of describeMessages(modules.values(), components)) {
    const route = routes.find(({ name }) => name === message.route);
    if (route) paths[toTemplate(route.path.replace(":module", message.module))] = describeCase(route, message);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "genserverless",
      version: "1",
      description: "Durable processes: start, call, cast and stop them. Every answer carries x-served-by.",
    },
    paths,
    components: {
      schemas: components,
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "Where API_TOKEN is set" } },
    },
    security: [{}, { token: [] }],
  };
}

/** `/v1/messages/:id` → `/v1/messages/{id}` */
export function toTemplate(path: string): string {
  return path.replace(/:(\w+)/g, "{$1}");
}

function describeRoute(route: Route): Json {
  const description: Json = {
    operationId: route.name,
    summary: route.summary,
    parameters: [...pathParameters(route), ...queryParameters(route), ...headerParameters(route)],
    responses: mergeResponses(describeAnswers(route), describeProblems(route)),
  };
  if (route.isPublic) description["security"] = [];
  if (route.body) {
    description["requestBody"] = {
      required: !route.isBodyOptional,
      content: {
        "application/json": { schema: refTo(route.body) },
        ...(route.readBody && { "*/*": { schema: refTo(route.body) } }),
      },
    };
  }
  return description;
}

/** A route as it is for the named handlers of one module. */
function describeCase(route: Route, { module, message, reply }: MessageDescription): Json {
  const general = describeRoute(route);
  const parameters = (general["parameters"] as Json[]).filter(({ name }) => name !== "module");
  const responses = { ...(general["responses"] as Json) };
  const body = route.body && toJsonSchema(route.body);
  const described = { ...body, properties: { ...(body?.["properties"] as Json), message: { $ref: pointTo(message) } } };
  if (reply) {
    const answer = { type: "object", properties: { reply: { $ref: pointTo(reply) }, messageId: { type: "string" } } };
    responses["200"] = { ...(responses["200"] as Json), content: { "application/json": { schema: answer } } };
  }
  return {
    [route.method]: {
      ...general,
      operationId: `${route.name}.${module}`,
      summary: `${route.summary}: what ${module} takes`,
      parameters,
      requestBody: { required: true, content: { "application/json": { schema: described } } },
      responses,
    },
  };
}

function pathParameters({ path }: Route): Json[] {
  const names = [...path.matchAll(/:(\w+)/g)].map((match) => match[1] as string);
  return names.map((name) => {
    const schema = name === "id" ? { type: "string" } : toJsonSchema(schemas.StartRequest.shape.module);
    return { name, in: "path", required: true, schema };
  });
}

function queryParameters({ query }: Route): Json[] {
  const properties = query ? ((toJsonSchema(query, "output")["properties"] ?? {}) as Record<string, Json>) : {};
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", schema }));
}

function headerParameters(route: Route): Json[] {
  if (route.method === "post") {
    const schema = { type: "string", pattern: "^[\\x21-\\x7e]{1,255}$" };
    const description = "Repeating the request with the same key has no second effect and gets the same answer";
    return [{ name: "Idempotency-Key", in: "header", description, schema }];
  }
  if (route.answers[304]) return [{ name: "If-None-Match", in: "header", schema: { type: "string" } }];
  return [];
}

/** A status can stand for an answer and for problems, told apart by their content types. */
function mergeResponses(answers: Record<string, Json>, problems: Record<string, Json>): Json {
  const merged: Json = { ...answers, ...problems };
  for (const [status, answer] of Object.entries(answers)) {
    const problem = problems[status];
    if (!problem) continue;
    const description = `${answer["description"]}; ${problem["description"]}`;
    merged[status] = {
      ...problem,
      description,
      content: { ...(answer["content"] as Json), ...(problem["content"] as Json) },
    };
  }
  return merged;
}

function describeAnswers({ answers }: Route): Record<string, Json> {
  return Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, describeAnswer(answer)]));
}

function describeAnswer({ description, schema, text, headers }: AnswerDescription): Json {
  const answer: Json = { description, headers: describeHeaders(headers) };
  if (schema) answer["content"] = { "application/json": { schema: refTo(schema) } };
  if (text) answer["content"] = { [text]: { schema: { type: "string" } } };
  return answer;
}

/** One response per status; the codes it can carry stand in its schema. */
function describeProblems(route: Route): Record<string, Json> {
  const acting: ErrorCode[] = route.method === "get" ? [] : ["cross_site"];
  const guarded = route.isPublic ? [] : GUARDED_ROUTE;
  const codes = new Set([...route.problems, ...ANY_ROUTE, ...guarded, ...acting]);
  const byStatus = Object.groupBy(codes, (code) => ERRORS[code][0]);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, group = []]) => [status, describeProblem(Number(status), group)]),
  );
}

function describeProblem(status: number, codes: readonly ErrorCode[]): Json {
  const schema = {
    allOf: [refTo(schemas.Problem), { properties: { status: { const: status }, code: { enum: codes } } }],
  };
  const headers: Record<string, string> = {};
  if (status === 429 || status === 503) headers["retry-after"] = "Seconds after which to try again";
  if (status === 401) headers["www-authenticate"] = "The scheme: Bearer";
  return {
    description: codes.map((code) => `${code}: ${ERRORS[code][1]}`).join("; "),
    headers: describeHeaders(headers),
    content: { "application/problem+json": { schema } },
  };
}

function describeHeaders(headers: Readonly<Record<string, string>> = {}): Json {
  const all = { "x-served-by": "The node that answered", ...headers };
  return Object.fromEntries(
    Object.entries(all).map(([name, description]) => [name, { description, schema: { type: "string" } }]),
  );
}

/** Queries are parameters of their own; everything else is a component that routes point to. */
function describeSchemas(): Record<string, Json> {
  const bodies = Object.entries(schemas).filter(([name]) => !name.endsWith("Query"));
  return Object.fromEntries(bodies.map(([name, schema]) => [name, toJsonSchema(schema)]));
}

function refTo(schema: z.ZodType): Json {
  const name = NAMES.get(schema);
  if (name === undefined) throw new Error("a route's schema stands in schemas.ts under a name");
  return { $ref: `#/components/schemas/${name}` };
}

function toJsonSchema(schema: z.ZodType, io: "input" | "output" = "input"): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io });
  return json;
}
