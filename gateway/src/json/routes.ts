/**
 * Which HTTP requests the services answer, and how these become requests of a method and its response JSON again. Only
 * descriptors of the later protocol say enough for this: those of the first one have the key fields only.
 */

import { createRequire } from "node:module";
import protobuf from "protobufjs";
import type { HttpRule } from "../descriptor/http-rules.ts";
import type { Served, Spec } from "../discovery/spec.ts";
import { findField, isMessage, printField, printMessage, readField, readMessage } from "./codec.ts";
import { JsonError } from "./json-error.ts";
import { compileTemplate, type PathTemplate } from "./path-template.ts";

// Adds to protobufjs what reads descriptors.
createRequire(import.meta.url)("protobufjs/ext/descriptor");

export interface HttpRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  /** "" where there is none. */
  body: string;
}

export interface HttpAnswer {
  contentType: string;
  body: Buffer | string;
}

export interface JsonRoute {
  serviceName: string;
  commandName: string;
  /** Throws JsonError. */
  readRequest(request: HttpRequest): Uint8Array;
  printResponse(payload: Uint8Array): HttpAnswer;
}

interface Entry {
  rule: HttpRule;
  template: PathTemplate;
  route: JsonRoute;
}

type Fields = Record<string, unknown>;

const HTTP_BODY = ".google.api.HttpBody";
/** As deep as protobuf's own readers go. */
const DEEPEST = 100;

export class JsonRoutes {
  readonly #entries: Entry[] = [];
  /** What has no JSON, and why. */
  readonly faults: string[] = [];

  constructor({ services, descriptor, protocol }: Spec) {
    if (protocol !== "cloudstate") return;
    try {
      const root = readRoot(descriptor.set);
      for (const served of services.values()) this.#add(served, root);
    } catch (error) {
      this.faults.push(`HTTP and JSON: ${(error as Error).message}`);
    }
    this.#entries.sort((a, b) => b.template.literals - a.template.literals);
  }

  #add({ service, methods }: Served, root: protobuf.Root): void {
    for (const { name, path, inputType, outputType, httpRules } of methods.values()) {
      for (const rule of [...httpRules, { method: "POST", path, body: "*", responseBody: "" }]) {
        try {
          const types = [root.lookupType(inputType), root.lookupType(outputType)] as const;
          const template = compileTemplate(rule.path);
          const route = createRoute(service.name, name, rule, template, types);
          this.#entries.push({ rule, template, route });
        } catch (error) {
          this.faults.push(`${service.name}.${name}, ${rule.method} ${rule.path}: ${(error as Error).message}`);
        }
      }
    }
  }

  find(method: string, path: string): JsonRoute | undefined {
    const isMeant = ({ rule, template }: Entry) =>
      (rule.method === "*" || rule.method === method) && template.match(path) !== undefined;
    return this.#entries.find(isMeant)?.route;
  }
}

/** The types of a serialized FileDescriptorSet. */
export function readRoot(set: Uint8Array): protobuf.Root {
  const { fromDescriptor } = protobuf.Root as unknown as { fromDescriptor(set: Uint8Array): protobuf.Root };
  const root = fromDescriptor.call(protobuf.Root, set);
  root.resolveAll();
  return root;
}

function createRoute(
  serviceName: string,
  commandName: string,
  rule: HttpRule,
  template: PathTemplate,
  [input, output]: readonly [protobuf.Type, protobuf.Type],
): JsonRoute {
  const bodyField = rule.body && rule.body !== "*" ? requireField(input, rule.body) : undefined;
  const responseField = rule.responseBody ? requireField(output, rule.responseBody) : undefined;
  for (const path of template.fields) requirePath(input, path);
  return {
    serviceName,
    commandName,
    readRequest({ path, query, body }) {
      const message = rule.body === "*" ? (readMessage(input, parse(body)) as Fields) : {};
      if (bodyField) message[bodyField.name] = readField(bodyField, parse(body), rule.body);
      if (rule.body !== "*") for (const name of new Set(query.keys())) put(input, message, name, query.getAll(name));
      for (const [name, value] of template.match(path) ?? []) put(input, message, name, [value]);
      return input.encode(message).finish();
    },
    printResponse(payload) {
      const message = output.decode(payload) as unknown as Fields;
      if (output.fullName === HTTP_BODY) return printHttpBody(message);
      const printed = responseField
        ? printField(responseField, message[responseField.name])
        : printMessage(output, message);
      return { contentType: "application/json", body: JSON.stringify(printed) };
    },
  };
}

function printHttpBody(message: Fields): HttpAnswer {
  const { content_type: contentType, data } = message as { content_type?: string; data?: Uint8Array };
  return { contentType: contentType || "application/octet-stream", body: Buffer.from(data ?? []) };
}

function requireField(type: protobuf.Type, name: string): protobuf.Field {
  const field = findField(type, name);
  if (!field) throw new JsonError(`${name} is no field of ${type.fullName.slice(1)}`);
  return field;
}

/** The field of a path such as `item.name`. Throws JsonError. */
function requirePath(type: protobuf.Type, path: string): protobuf.Field {
  const [name = "", ...rest] = path.split(".");
  const field = requireField(type, name);
  if (rest.length === 0) return field;
  if (!isMessage(field) || field.repeated) throw new JsonError(`${path}: ${name} has no fields`);
  return requirePath(field.resolvedType as protobuf.Type, rest.join("."));
}

/** Sets a field by its path, such as `item.name`. */
function put(type: protobuf.Type, message: Fields, path: string, values: readonly string[]): void {
  const [name = "", ...rest] = path.split(".");
  const field = requireField(type, name);
  if (rest.length > 0) {
    if (!isMessage(field) || field.repeated) throw new JsonError(`${path}: ${name} has no fields`);
    const held = (message[field.name] ?? {}) as Fields;
    message[field.name] = held;
    put(field.resolvedType as protobuf.Type, held, rest.join("."), values);
    return;
  }
  message[field.name] = readField(field, field.repeated ? values : values.at(-1), path);
}

/** No body is an empty message. Throws JsonError. */
function parse(body: string): unknown {
  const json = parseText(body.trim() === "" ? "{}" : body);
  if (isDeeper(json, DEEPEST)) throw new JsonError(`the body has more than ${DEEPEST} levels`);
  return json;
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new JsonError(`the body is not JSON: ${(error as Error).message}`);
  }
}

function isDeeper(json: unknown, levels: number): boolean {
  if (typeof json !== "object" || json === null) return false;
  return levels === 0 || Object.values(json).some((one) => isDeeper(one, levels - 1));
}
