/** docs/protocol.md lists what the code has: the first column of each table, and what stands beside it, are compared. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { seal } from "@genserverless/shared/cluster/envelope.ts";
import { readPublishedLua } from "@genserverless/shared/cluster/mailbox.ts";
import { Keys, LAYOUT_VERSION } from "@genserverless/shared/redis/keys.ts";
import { loadScripts } from "@genserverless/shared/redis/scripts.ts";
import { ERRORS } from "@genserverless/shared/service/errors.ts";
import { Ties } from "genserverless/runtime/ties.ts";
import { openDoor } from "../api/src/door.test-support.ts";

const ROOT = join(import.meta.dirname, "..");
const PAGE = readFileSync(join(ROOT, "docs/protocol.md"), "utf8");

/** The rows below a heading, each a list of its cells. */
function readTable(heading: string): string[][] {
  const section = PAGE.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`));
  assert.ok(section, `the page has no heading "${heading}"`);
  const lines = section.split("\n").filter((line) => line.startsWith("| "));
  const rows = lines.map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("`", "")));
  return rows.slice(2).map((cells) => cells.slice(1, -1));
}

/** The first `columns` cells of each row as one text. */
function readColumns(heading: string, columns = 1): string[] {
  return readTable(heading).map((cells) => cells.slice(0, columns).join(" · "));
}

function assertSame(listed: Iterable<string>, inCode: Iterable<string>): void {
  assert.deepEqual([...new Set(listed)].sort(), [...new Set(inCode)].sort());
}

interface Schema {
  properties?: Record<string, Schema>;
  enum?: string[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  $ref?: string;
}

interface Operation {
  operationId: string;
  responses: Record<string, unknown>;
  parameters: { name: string; in: string; schema: Schema }[];
  requestBody?: { content: { "application/json": { schema: Schema } } };
}

interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

async function readOpenApi(): Promise<OpenApi> {
  await using door = await openDoor();
  return (await door.ask("GET", "/openapi.json")).json as unknown as OpenApi;
}

const { paths, components } = await readOpenApi();
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ ...operation, route: `${method.toUpperCase()} ${path}` })),
);

test("the page lists every route with the statuses of its answers", () => {
  const inCode = operations.map(({ operationId, route, responses }) => {
    const statuses = Object.keys(responses).filter((status) => Number(status) < 400);
    return [operationId, route, statuses.join(", ")].join(" · ");
  });
  assertSame(readColumns("Routes", 3), inCode);
});

test("the page lists every field that a request may have, with its default and its range", () => {
  const inCode = operations.flatMap(({ operationId, parameters, requestBody }) => {
    const schema = requestBody?.content["application/json"].schema.$ref?.split("/").at(-1) ?? "";
    const query = parameters.filter((parameter) => parameter.in === "query");
    const fields = [
      ...Object.entries(components.schemas[schema]?.properties ?? {}),
      ...query.map((parameter) => [parameter.name, parameter.schema] as const),
    ];
    return fields.map(([name, field]) => [operationId, name, formatDefault(field), formatRange(field)].join(" · "));
  });
  const listed = readTable("Fields of requests").map(([operation, name, fallback, range = ""]) =>
    [operation, name, fallback, /^[\d,]+ to [\d,]+$/.test(range) ? range : ""].join(" · "),
  );
  assertSame(listed, inCode);
});

function formatDefault(field: Schema): string {
  return field.default === undefined ? "" : JSON.stringify(field.default);
}

function formatRange({ minimum, maximum }: Schema): string {
  if (minimum === undefined || maximum === undefined) return "";
  return `${minimum.toLocaleString("en")} to ${maximum.toLocaleString("en")}`;
}

test("the page lists every status of a process and of a message", () => {
  assertSame(readColumns("Process status"), components.schemas["Process"]?.properties?.["status"]?.enum ?? []);
  assertSame(readColumns("Message status"), components.schemas["Message"]?.properties?.["status"]?.enum ?? []);
});

test("the page lists every error code with its HTTP status", () => {
  const inCode = Object.entries(ERRORS).map(([code, [status]]) => `${code} · ${status}`);
  assertSame(readColumns("Error codes", 2), inCode);
});

const SCRIPTS = join(ROOT, "shared/src/redis/scripts");
const lua = [SCRIPTS, join(SCRIPTS, "lib")]
  .flatMap((folder) => readdirSync(folder, { withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
  .join("\n");

function findAll(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match.slice(1).find(Boolean) ?? "");
}

function readSource(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** What stands between two texts, the first time that they do. */
function cut(text: string, from: string, to: string): string {
  const rest = text.slice(text.indexOf(from) + from.length);
  return rest.slice(0, rest.indexOf(to));
}

test("the page names the layout version", () => {
  assert.match(PAGE, new RegExp(`This is layout version ${LAYOUT_VERSION};`));
});

test("the page lists every field of an envelope, in its order", () => {
  const all = { replyTo: "a", hash: "h", keepMs: 1, deadline: 1, chain: [], timer: "t", traceparent: "p" };
  assert.deepEqual(readColumns("Envelope and outcome"), Object.keys(JSON.parse(seal("null", all))));
});

test("the page lists every kind of message", () => {
  const kinds = cut(readSource("shared/src/process/message.ts"), "export type MessageKind =", ";");
  assertSame(readColumns("Message kinds"), findAll(kinds, /"(\w+)"/g));
});

test("the page lists every kind of tie", () => {
  const ties = new Ties();
  ties.setTimer("<name>", { id: "", dueAt: 0 });
  ties.setMonitor("<ref>", "a/b");
  ties.addLink("<pid>" as "a/b", "<ref>");
  ties.setMember("<group>");
  assertSame(
    readColumns("Ties"),
    [...ties.entries()].map(([field]) => field),
  );
});

test("the page lists every kind of entry that an outbox may have, and its lines", () => {
  const deliver = readSource("shared/src/redis/scripts/deliver-1.lua");
  const kinds = readColumns("Outboxes").flatMap((cell) => cell.split(", "));
  assertSame(kinds, findAll(cut(deliver, "local DO = {", "\n}"), /^ {2}(\w+) =/gm));
  const lines = cut(readSource("shared/src/redis/scripts/lib/outbox.lua"), "An entry is eight lines: ", ".");
  assert.ok(PAGE.includes(`An entry is eight lines: ${lines}.`));
});

test("the page lists every act of a commit with the number of its words", () => {
  const commit = readSource("shared/src/redis/scripts/commit-1.lua");
  const acts = cut(commit, "local ACTS = {", "\n  }").matchAll(/^ {4}(\w+) = \{ (\d+), function/gm);
  const listed = readTable("Acts of a commit").map(([name, words = ""]) => `${name} · ${words.split(", ").length}`);
  assertSame(
    listed,
    [...acts].map(([, name, count]) => `${name} · ${count}`),
  );
});

test("the page lists every word that a worker hears", () => {
  const words = readColumns("Wake-up words").map((cell) => cell.split(" ")[0] ?? "");
  assertSame(words, findAll(readSource("worker/src/worker.ts"), /\bword === "(\w+)"/g));
});

test("the page lists what each script answers", () => {
  let told = 0;
  for (const [name = "", keyCount = "", , , answers = ""] of readTable("Scripts")) {
    const source = readSource(`shared/src/redis/scripts/${name}-${keyCount}.lua`);
    const verdicts = findAll(source, /return \{? ?"(\w+)"/g);
    for (const verdict of verdicts) assert.match(answers, new RegExp(`\\b${verdict}\\b`), name);
    told += verdicts.length;
  }
  assert.ok(told > 20);
});

test("the page lists every script with its number of keys and whether it runs when Redis is full", () => {
  const scripts = Object.values(loadScripts(readPublishedLua()));
  const inCode = scripts.map(({ name, keyCount, source }) => {
    const flag = source.startsWith("#!lua flags=allow-oom\n") ? "yes" : "no";
    return `${name} · ${keyCount} · ${flag}`;
  });
  assertSame(readColumns("Scripts", 3), inCode);
});

/** What a method or getter of Keys makes of partition 12 and of its other parameters' names. */
function buildKey(keys: Keys, name: string, { get, value }: PropertyDescriptor): string {
  if (get) return String(get.call(keys));
  const parameters = /\((.*)\)/.exec(String(value).split("{")[0] ?? "")?.[1] ?? "";
  const names = parameters.split(",").map((parameter) => parameter.trim());
  return String(
    Reflect.get(keys, name).apply(
      keys,
      names.map((each) => (each === "partition" ? 12 : `<${each}>`)),
    ),
  );
}

test("the page lists every key and channel that Keys builds", () => {
  const keys = new Keys("gs", 64);
  const builders = Object.entries(Object.getOwnPropertyDescriptors(Keys.prototype)).filter(
    ([name]) => !["constructor", "partitionOf", "groupPartition"].includes(name),
  );
  // A group is in a partition by its name.
  const built = builders.map(([name, descriptor]) => buildKey(keys, name, descriptor).replace(/\{\d+\}/, "{12}"));
  const listed = [
    ...readColumns("Keys of a partition"),
    ...readColumns("Keys of the members"),
    ...readColumns("Channels"),
  ];
  const prefixes = ["gs:{12}:", "gs:{12}:q", "gs:{members}:", "gs:{12}:q:<name>:<part>"];
  assertSame(
    listed.filter((key) => built.includes(key)),
    built.filter((key) => !prefixes.includes(key)),
  );
});

/** Keys that no script builds: a script is given the one, and workers alone use the other. */
const GIVEN_AS_KEY = ["from", "waits"];

test("the page lists every key that the scripts build, and every field of the record", () => {
  const families = readColumns("Keys of a partition").map((key) => /^gs:\{12\}:(\w+)/.exec(key)?.[1] ?? "");
  assertSame(families, [...findAll(lua, /base \.\. "(\w+)/g), "m", ...GIVEN_AS_KEY]);
  assertSame(readColumns("Parts of a mailbox"), [...findAll(lua, /queue \.\. "(\w+)"/g), "<id>"]);
  // A letter that something is compared with is the kind of a tie.
  assertSame(readColumns("The process record"), findAll(lua, /(?<!== )"([a-zA-Z])"(?!:)/g));
});

/** Told by one program of ours to another, not by people. */
const INTERNAL = ["BOOTSTRAP_PID", "PATH"];

const rooms = ["shared", "api", "worker", "gateway", "sysmon", "functions", "local"];
const sources = rooms
  .flatMap((room) => readdirSync(join(ROOT, room, "src"), { recursive: true, withFileTypes: true }))
  .filter(({ name }) => name.endsWith(".ts") && !/\.test(-support)?\.ts$/.test(name))
  .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "utf8"))
  .join("\n");

test("the page lists every setting that the services read", () => {
  const read = findAll(sources, /\(env, "([A-Z_]+)"|\benv\["([A-Z_]+)"\]/g);
  assertSame(
    readColumns("Settings"),
    read.filter((name) => !INTERNAL.includes(name)),
  );
});

test("the page tells the default of every setting that is a number, and its range where it tells one", () => {
  const rows = new Map(readTable("Settings").map(([name = "", ...cells]) => [name, cells]));
  const numbers = [...sources.matchAll(/readInteger\(env, "([A-Z_]+)", ([\d_]+), ([\d_]+), ([\d_]+)\)/g)];
  assert.ok(numbers.length > 10);
  for (const [, name = "", ...texts] of numbers) {
    const [fallback, least, most] = texts.map((text) => Number(text.replaceAll("_", "")));
    const cells = rows.get(name) ?? [];
    assert.match(cells[0] ?? "", new RegExp(fallback ? `\\b${fallback}\\b` : "^0$|a free one"), name);
    const range = /^([\d,]+) to ([\d,]+)/.exec(cells.at(-1) ?? "");
    const told = range?.slice(1).map((text) => Number(text.replaceAll(",", "")));
    if (told) assert.deepEqual(told, [least, most], name);
  }
});
