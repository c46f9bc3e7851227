/** What a module's typed handlers take, read from the cluster's OpenAPI document. */

import { request } from "./http.js";

/**
 * @typedef {{ [word: string]: any }} Schema
 * @typedef {object} HandlerChoice
 * @property {string} label
 * @property {"args" | "name" | "raw"} kind `{[name]: args}`, the name alone, or any JSON.
 * @property {string} name
 * @property {Schema} schema Of the arguments.
 */

const KINDS = { call: "calls", cast: "casts", info: "infos" };
const MOST_DEPTH = 4;

/** @type {Promise<Schema> | undefined} */
let document;

/** @returns {Promise<Schema>} the schemas by name; none where the cluster does not tell them now */
async function readSchemas() {
  document ??= request("GET", "/cluster/openapi.json").then(({ status, body }) => {
    if (status === 200) return body.components?.schemas ?? {};
    document = undefined;
    return {};
  });
  return document;
}

/**
 * The handlers that a module has for a kind of message, those that need no arguments first, and raw JSON where it takes
 * that.
 * @param {string} module
 * @param {"call" | "cast" | "info"} kind
 * @returns {Promise<HandlerChoice[]>}
 */
export async function listHandlers(module, kind) {
  const schemas = await readSchemas();
  const described = schemas[`${module.replaceAll("~", "._.")}.${KINDS[kind]}`];
  const raw = { label: "any JSON", kind: /** @type {const} */ ("raw"), name: "", schema: {} };
  if (!described) return [raw];
  const variants = /** @type {Schema[]} */ (described["oneOf"] ?? described["anyOf"] ?? []);
  const choices = variants.map((variant) => toChoice(variant)).filter((choice) => choice !== undefined);
  const [named, others] = [true, false].map((isNamed) => choices.filter(({ kind }) => (kind === "name") === isNamed));
  return [...(named ?? []), ...(others ?? []), ...(described["anyOf"] ? [raw] : [])];
}

/**
 * @param {Schema} variant
 * @returns {HandlerChoice | undefined}
 */
function toChoice(variant) {
  if (typeof variant["const"] === "string") {
    return { label: variant["const"], kind: "name", name: variant["const"], schema: {} };
  }
  const [name] = Object.keys(variant["properties"] ?? {});
  if (name === undefined) return undefined;
  const schema = variant["properties"][name];
  return { label: `${name}(${describe(schema)})`, kind: "args", name, schema };
}

/**
 * A schema in the words of TypeScript, short.
 * @param {Schema} schema
 * @returns {string}
 */
export function describe(schema, depth = 0) {
  if (depth > MOST_DEPTH) return "…";
  if (schema["const"] !== undefined) return JSON.stringify(schema["const"]);
  if (schema["enum"]) return schema["enum"].map((/** @type {unknown} */ value) => JSON.stringify(value)).join(" | ");
  const some = schema["anyOf"] ?? schema["oneOf"];
  if (some) return some.map((/** @type {Schema} */ each) => describe(each, depth + 1)).join(" | ");
  if (schema["type"] === "array") return `${describe(schema["items"] ?? {}, depth + 1)}[]`;
  if (schema["type"] === "object" && schema["properties"]) {
    const required = new Set(schema["required"]);
    const fields = Object.entries(schema["properties"]).map(
      ([name, each]) => `${name}${required.has(name) ? "" : "?"}: ${describe(/** @type {Schema} */ (each), depth + 1)}`,
    );
    return `{ ${fields.join(", ")} }`;
  }
  return Array.isArray(schema["type"]) ? schema["type"].join(" | ") : (schema["type"] ?? "any");
}

/**
 * A value of the right shape to begin with.
 * @param {Schema} schema
 * @returns {unknown}
 */
export function sketch(schema, depth = 0) {
  if (schema["default"] !== undefined) return schema["default"];
  if (schema["const"] !== undefined) return schema["const"];
  if (schema["enum"]) return schema["enum"][0];
  const some = schema["anyOf"] ?? schema["oneOf"];
  if (some) return sketch(some[0] ?? {}, depth + 1);
  if (schema["type"] === "object" && depth < MOST_DEPTH) {
    const required = /** @type {string[]} */ (schema["required"] ?? []);
    return Object.fromEntries(required.map((name) => [name, sketch(schema["properties"]?.[name] ?? {}, depth + 1)]));
  }
  const least = {
    number: schema["minimum"] ?? 0,
    integer: schema["minimum"] ?? 0,
    string: "",
    boolean: false,
    array: [],
    object: {},
  };
  return least[/** @type {keyof typeof least} */ (schema["type"])] ?? null;
}
