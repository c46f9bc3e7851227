import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { answer, events, runAgainst, runIn, type Serve } from "../run.test-support.ts";

/** What deploy and rollback say and ask, against a server that answers as the contract has it. */

const REPOSITORY = "https://github.com/evanxg852000/node-eserveless-example";
const PROJECT = "evanxg852000-node-eserveless-example";
const CREATED = {
  message: "Yeah! project created.",
  repository: REPOSITORY,
  project: PROJECT,
  functions: [`/${PROJECT}/API`],
};
const HERE = { location: `/api/projects/${PROJECT}/deployments/3` };
const DEPLOYMENT = { number: 3, commit: "a".repeat(40), ref: "main", at: "2026-03-01T12:00:00Z", isCurrent: true };
const READY = { ...DEPLOYMENT, status: "ready", durationMs: 1_234 };
const LOG = events(
  ["line", { text: "building it for node" }],
  ["line", { text: "ready after \x1b1234 ms" }],
  ["end", {}],
);
const SEED = ["deploy", "evanxg852000/node-eserveless-example"];

test("ES-11: deploy says what it asks for, the answer, and where the http functions are", async () => {
  const { code, stdout, stderr, url, requests } = await runAgainst([answer(200, CREATED)], {}, ...SEED, "--no-wait");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(
    stdout,
    `Asking serveless to check in ... [${REPOSITORY}]
[ok]  Yeah! project created.
List of http api endpoints
-  ${url}/invoke/${PROJECT}/API
`,
  );
  assert.deepEqual(
    requests.map(({ line, body }) => [line, JSON.parse(body)]),
    [["POST /api/projects", { repository: REPOSITORY }]],
  );
});

test("ES-11: a repository that has not changed is said to be so", async () => {
  const unchanged = { message: "repository has not changed since last deployment" };
  const { code, stdout } = await runAgainst([answer(200, unchanged)], {}, ...SEED);
  assert.equal(code, 0);
  assert.match(stdout, /\n\[ok\] {2}repository has not changed since last deployment\n$/);
});

test("the blog's form without the word deploy does the same, wherever the options stand", async () => {
  const short = SEED.slice(1);
  for (const args of [short, ["--timeout", "5s", ...short], [...short, "--ref", "main"], ["--json", ...short]]) {
    const { code, requests } = await runAgainst([answer(200, CREATED)], {}, ...args, "--no-wait");
    assert.deepEqual([code, requests[0]?.line], [0, "POST /api/projects"], args.join(" "));
  }
  for (const args of [["accumulator/alice", "total"], ["nodse"], ["a/b/c"]]) {
    const { code, stderr } = await runIn({}, ...args);
    assert.deepEqual([code, stderr.includes("unknown command")], [2, true], args.join(" "));
  }
});

test("deploy follows the build's log on stderr until the deployment is ready", async () => {
  const building = answer(200, { ...DEPLOYMENT, status: "building" });
  const answers = [answer(200, CREATED, HERE), LOG, building, answer(200, READY)];
  const { code, stdout, stderr, requests } = await runAgainst(answers, {}, ...SEED);
  assert.equal(code, 0);
  assert.match(stdout, /List of http api endpoints\n- {2}http\S+\/API\n$/);
  assert.equal(stderr, `building it for node\nready after ?1234 ms\ndeployment 3 of ${PROJECT} is ready, after 1.2s\n`);
  assert.deepEqual(
    requests.slice(1).map(({ line }) => line),
    [`GET ${HERE.location}/log`, `GET ${HERE.location}`, `GET ${HERE.location}`],
  );
});

test("on a terminal a bar stands below the log, and is gone at the end", async () => {
  const answers = [answer(200, CREATED, HERE), LOG, answer(200, READY)];
  const { stderr } = await runAgainst(answers, { terminal: ["stderr"] }, ...SEED);
  const shown = stderr.replaceAll("\r\x1b[K", "<");
  assert.match(shown, /<\[\.{30}\] reading the repository … \d\.\ds</);
  assert.match(shown, /<ready after \?1234 ms\n<\[#{30}\] ready/);
  assert.match(shown, /s<deployment 3 of \S+ is ready, after 1\.2s\n$/);
});

test("a log that breaks off is read on behind its last line", async () => {
  const broken: Serve = (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write('event: line\nid: 0-1\ndata: {"text":"building"}\n\n', () => response.destroy());
  };
  const answers = [answer(200, CREATED, HERE), broken, events(["end", {}]), answer(200, READY)];
  const { code, stderr, requests } = await runAgainst(answers, {}, ...SEED);
  assert.equal(code, 0);
  assert.equal(requests[2]?.headers["last-event-id"], "0-1");
  assert.match(stderr, /^building\n.*trying again\n.*is ready/);
});

test("a deployment that fails is told with its reason, and with what goes on serving", async () => {
  const reason = { code: "not_exported", message: "functions.js does not export API" };
  const failed = answer(200, { ...DEPLOYMENT, status: "failed", isCurrent: false, reason });
  const project = (current?: number) => answer(200, { name: PROJECT, functions: [], ...(current && { current }) });
  const end = events(["end", {}]);
  const later = await runAgainst([answer(200, CREATED, HERE), end, failed, project(2)], {}, ...SEED);
  const why = "not_exported: functions.js does not export API";
  assert.deepEqual(
    [later.code, later.stderr],
    [1, `genserverless: deployment 3 of ${PROJECT} failed: ${why}; deployment 2 goes on serving\n`],
  );
  const first = await runAgainst([answer(200, CREATED, HERE), end, failed, project()], {}, ...SEED);
  assert.match(first.stderr, /; nothing of this project serves yet\n$/);
  const superseded = answer(200, { ...DEPLOYMENT, status: "superseded" });
  const late = await runAgainst([answer(200, CREATED, HERE), end, superseded], {}, ...SEED);
  assert.deepEqual([late.code, late.stderr.includes("a newer one has taken its place")], [1, true]);
});

test("with --json the answer and the deployment are a line each", async () => {
  const answers = [answer(200, CREATED, HERE), LOG, answer(200, READY)];
  const { stdout } = await runAgainst(answers, {}, ...SEED, "--json");
  const lines = stdout.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [CREATED, READY],
  );
});

test("ES-11: what goes wrong is told in the original's words and what it was, with 1", async () => {
  const missing = await runIn({}, "deploy");
  assert.deepEqual(missing, {
    code: 1,
    stdout: "",
    stderr: "genserverless: Please specify the github repo: user/repo\n",
  });
  const away = await runIn({ env: { GENSERVERLESS_URL: "http://127.0.0.1:1" } }, ...SEED);
  assert.equal(away.code, 1);
  assert.match(
    away.stderr,
    /^genserverless: error connecting to eserveless platform server: [^\n]+127\.0\.0\.1:1[^\n]+\n$/,
  );
  const lost = { error: "Server Error", message: `${REPOSITORY}: no such repository`, code: "repository_not_found" };
  const refused = await runAgainst([answer(500, lost)], {}, ...SEED);
  const words = "something went wrong with your request";
  assert.deepEqual(
    [refused.code, refused.stderr],
    [1, `genserverless: ${words}: repository_not_found: ${REPOSITORY}: no such repository\n`],
  );
  const bad = { error: "Bad Request", message: "repository field is not a valid github repository url" };
  const invalid = await runAgainst([answer(400, bad)], {}, ...SEED);
  assert.deepEqual([invalid.code, invalid.stderr], [1, `genserverless: ${words}: http_400: ${bad.message}\n`]);
});

test("each problem of a manifest is told on its line", async () => {
  const problems = [
    { line: 2, field: "functions[0].type", message: "must be http, cron or event" },
    { line: 7, field: "", message: "the indent is \x1bwrong" },
  ];
  const body = { error: "Server Error", message: "all of them", code: "manifest_invalid", problems };
  const { code, stderr } = await runAgainst([answer(500, body)], {}, ...SEED);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `genserverless: something went wrong with your request: manifest_invalid
  line 2: functions[0].type must be http, cron or event
  line 7: the indent is \\u001bwrong
`,
  );
});

test("a token that is missing is 5, as everywhere", async () => {
  const problem = { code: "unauthorized", detail: "a token is needed" };
  const { code, stderr } = await runAgainst([answer(401, problem)], {}, ...SEED);
  assert.deepEqual([code, stderr.includes("set API_TOKEN")], [5, true]);
});

test("a path is sent as an absolute one, with the ref", async () => {
  const { requests, stdout } = await runAgainst([answer(200, CREATED)], {}, "deploy", "./shop", "--ref", "v1");
  assert.deepEqual(JSON.parse(requests[0]?.body ?? ""), { repository: resolve("shop"), ref: "v1" });
  assert.ok(stdout.startsWith(`Asking serveless to check in ... [${resolve("shop")}]\n`));
});

test("rollback says where to, and follows it like a deployment", async () => {
  const back = { message: "Yeah! project rolled back.", project: PROJECT, deployment: 3, commit: "b".repeat(40) };
  const answers = [answer(200, back, HERE), answer(200, READY)];
  const { code, stdout, requests } = await runAgainst(answers, {}, "rollback", PROJECT, "--to", "1");
  assert.deepEqual([code, stdout], [0, "[ok]  Yeah! project rolled back.\n"]);
  assert.deepEqual([requests[0]?.line, requests[0]?.body], [`POST /api/projects/${PROJECT}/rollback`, '{"to":1}']);
  const conflict = { error: "Conflict", message: "there is no deployment before the current one" };
  const nowhere = await runAgainst([answer(409, conflict)], {}, "rollback", PROJECT);
  assert.deepEqual([nowhere.code, nowhere.stderr], [1, `genserverless: http_409: ${conflict.message}\n`]);
});
