import assert from "node:assert/strict";
import { test } from "node:test";
import type { ManifestProblem } from "@genserverless/shared/functions/manifest.ts";
import { SEED } from "../../../test/functions/git-repository.ts";
import { Problem } from "../problems.ts";
import { readManifest } from "./manifest.ts";

/** Typed from the seed's document. */
const { ".eserveless.yaml": MANIFEST = "" } = SEED;

function problemsOf(text: string): string[] {
  try {
    readManifest(text);
  } catch (error) {
    assert.ok(error instanceof Problem);
    assert.equal(error.code, "manifest_invalid");
    const problems = error.members["problems"] as ManifestProblem[];
    return problems.map(({ line, field, message }) => `${line} ${field}: ${message}`);
  }
  return [];
}

const http = (more: string) => `runtime: node\nfunctions:\n- name: a\n  type: http\n  ${more}\n`;
const cron = (schedule: string) => `runtime: node\nfunctions:\n- name: a\n  type: cron\n  schedule: ${schedule}\n`;

test("ES-5: reads the manifest of the seed, with defaults", () => {
  const { runtime, repo, functions } = readManifest(MANIFEST);
  assert.deepEqual([runtime, repo], ["node", "https://github.com/evanxg852000/node-eserveless-example"]);
  assert.deepEqual(functions, [
    {
      name: "API",
      type: "http",
      overlap: false,
      missed: "once",
      meta: {},
      env: {},
      keepWarm: 0,
      timeoutMs: 30_000,
      memoryMb: 128,
      concurrency: 8,
    },
    {
      name: "Ticker",
      type: "cron",
      schedule: "*/1 * * * *",
      overlap: false,
      missed: "once",
      meta: { path: "/usr/bin", name: "prod" },
      env: {},
      keepWarm: 0,
      timeoutMs: 30_000,
      memoryMb: 128,
      concurrency: 1,
    },
  ]);
});

test("takes go and golang for one runtime", () => {
  for (const runtime of ["go", "golang"]) {
    assert.equal(readManifest(http("").replace("node", runtime)).runtime, "go");
  }
});

test("reads durations and sizes with their units", () => {
  const [first] = readManifest(http("timeout: 1m30s\n  memory: 1gb\n  concurrency: 3\n  keepWarm: 2")).functions;
  assert.deepEqual([first?.timeoutMs, first?.memoryMb, first?.concurrency, first?.keepWarm], [90_000, 1_024, 3, 2]);
  assert.equal(readManifest(http("timeout: 2.5")).functions[0]?.timeoutMs, 2_500);
});

test("names every problem with its line", () => {
  const text = `rutime: go
functions:
- name: one
  type: queue
- name: one two
  type: cron
  schedul: "* * * * *"
- name: three
  type: cron
  schedule: "61 * * * *"
  timeout: 1d
  meta: [a]
`;
  assert.deepEqual(
    problemsOf(text).map((problem) => problem.replace(/(expression: ).*/, "$1…")),
    [
      "1 runtime: is missing",
      "1 rutime: is not known",
      "4 functions[0].type: must be http, cron or event",
      "5 functions[1].name: must begin with a letter or _ and have up to 47 letters, digits, _ or -",
      "5 functions[1].schedule: is missing",
      "7 functions[1].schedul: is not known",
      "10 functions[2].schedule: is no cron expression: …",
      "11 functions[2].timeout: must be seconds, or a duration such as 500ms or 2m, of at most 15m",
      "12 functions[2].meta: must be a map of texts",
    ],
  );
});

test("names what does not fit together", () => {
  assert.deepEqual(problemsOf(http('schedule: "* * * * *"')), ["5 functions[0].schedule: is for cron functions only"]);
  assert.deepEqual(problemsOf(http("keepWarm: 9")), ["5 functions[0].keepWarm: must not be more than concurrency"]);
  assert.deepEqual(problemsOf(http("type2: x").replace("http", "cron").replace("  type2: x\n", "")), [
    "3 functions[0].schedule: is missing",
  ]);
  assert.deepEqual(problemsOf(`${http("")}- name: a\n  type: http\n`), [
    "6 functions[1].name: is taken by another function: a",
  ]);
  assert.match(problemsOf(http("").replace("http", "event"))[0] ?? "", /topic: is missing/);
});

test("takes topics that groups of the cluster can have, and sandboxes for runs that overlap", () => {
  const event = (topic: string) => `runtime: node\nfunctions:\n- name: a\n  type: event\n  topic: ${topic}\n`;
  for (const topic of ["orders", "a.b_c~d-1", "x".repeat(128)]) assert.deepEqual(problemsOf(event(topic)), [], topic);
  for (const topic of ["two words", "a/b", '"."', "é", "x".repeat(129), '""']) {
    assert.match(problemsOf(event(topic))[0] ?? "", /^5 functions\[0\]\.topic: must be 1 to 128 letters/, topic);
  }
  const concurrencyOf = (text: string) => readManifest(text).functions[0]?.concurrency;
  const overlapping = `${cron('"@hourly"')}  overlap: true\n`;
  assert.deepEqual([cron('"@hourly"'), overlapping, event("orders")].map(concurrencyOf), [1, 8, 8]);
});

test("takes five fields, six, nicknames and @every as a schedule", () => {
  for (const schedule of ['"*/1 * * * *"', '"0 */5 * * * *"', '"@hourly"', '"@every 1m30s"', '"0 9 * * MON-FRI"']) {
    assert.deepEqual(problemsOf(cron(schedule)), [], schedule);
  }
  for (const schedule of [
    '"61 * * * *"',
    '"* * *"',
    '"@every 1x"',
    '"@every 1ms"',
    '"0 0 30 2 *"',
    '"2030-01-01T00:00:00"',
    `"${"1,".repeat(130)}1 * * * *"`,
  ]) {
    assert.match(problemsOf(cron(schedule))[0] ?? "", /^5 functions\[0\]\.schedule: /, schedule);
  }
});

test("names a time zone that is none", () => {
  assert.deepEqual(problemsOf(`${cron('"@daily"')}  timezone: Europe/Berlin\n`), []);
  assert.match(problemsOf(`${cron('"@daily"')}  timezone: Mars/Base\n`)[0] ?? "", /^6 .*timezone: is no time zone/);
});

test("refuses environment names that decide how a function is run", () => {
  for (const name of ["NODE_OPTIONS", "LD_PRELOAD", "PATH", "ESERVELESS_X", "a-b"]) {
    assert.equal(problemsOf(http(`env: {${name}: x}`)).length, 1, name);
  }
  assert.deepEqual(readManifest(http("env: {GREETING: hello, N: 3}")).functions[0]?.env, { GREETING: "hello", N: "3" });
});

test("tells where a file is no YAML, no map, or empty", () => {
  assert.match(problemsOf("runtime: node\nfunctions:\n  - name: a\n - b\n")[0] ?? "", /^[34] : /);
  assert.match(problemsOf("schedule: */1 * * * *\n")[0] ?? "", /^1 : /);
  assert.match(problemsOf("runtime: node\nruntime: go\n")[0] ?? "", /^2 : Map keys must be unique/);
  for (const text of ["", "[]", "text", "null"]) assert.equal(problemsOf(text).length, 1, text);
});

test("does not unfold a bomb of aliases", () => {
  const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(10)}]`);
  assert.notDeepEqual(problemsOf(`l0: &l0 [x]\n${levels.join("\n")}\n`), []);
});
