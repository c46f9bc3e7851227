/**
 * The walk-through of eserveless, on its own sample project, and each thing that it could do, under its id. The tests
 * follow one another, as the walk-through's steps do; what it has wait for a minute is looked at near the end.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { runIn } from "@genserverless/cli/run.test-support.ts";
import { FunctionsCluster } from "../functions/functions-cluster.ts";
import { type GitRepository, httpProject, SEED } from "../functions/git-repository.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { until } from "../tools/until.ts";

// Fewer heartbeats, for a file that mostly waits.
const cluster = new FunctionsCluster({ sessionTtlMs: 10_000 });
before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

const get = (path: string) => cluster.ask("GET", path);
const deploy = (repository: unknown) => cluster.ask("POST", "/api/projects", { repository });
const cli = (...args: string[]) => runIn({ env: { GENSERVERLESS_URL: cluster.url } }, ...args);

const SAMPLE = "alice-node-eserveless-example";
const WELCOME = { message: "Welcome eserveless platform", version: "0.0.1", author: "@evanxg852000" };
const UNCHANGED = { message: "repository has not changed since last deployment" };
const NO_PROJECT = { message: "project not found!" };
const NO_FUNCTION = { message: "function not found!" };

let sample: GitRepository;
/** A project for what the sample does not do. */
let kit: string;
/** An answer that takes 30 s. */
let late: Promise<{ status: number; afterMs: number; code: unknown }>;
/** The run of Ticker that was asked for. */
let asked: unknown;

test("5.11.1, ES-1: the platform says who it is", async () => {
  const { status, json } = await get("/");
  assert.deepEqual([status, json], [200, WELCOME]);
});

test("5.11.2, ES-2, ES-11: the sample is deployed from the command line, unchanged, and its endpoints are listed", async () => {
  sample = cluster.makeRepository(SEED, "node-eserveless-example");
  const { code, stdout, stderr } = await cli("deploy", sample.path);
  assert.equal(code, 0, stderr);
  assert.deepEqual(stdout.split("\n"), [
    `Asking serveless to check in ... [${sample.path}]`,
    "[ok]  Yeah! project created.",
    "List of http api endpoints",
    `-  ${cluster.url}/invoke/${SAMPLE}/API`,
    "",
  ]);
});

test("5.11.3, ES-7: again, and nothing has changed", async () => {
  const { status, json, headers } = await deploy(` ${sample.path}/ `);
  assert.deepEqual([status, json, headers.get("location")], [200, UNCHANGED, null]);
  const { code, stdout } = await cli("deploy", sample.path);
  assert.deepEqual([code, stdout.includes(`[ok]  ${UNCHANGED.message}\n`)], [0, true], stdout);
});

test("5.11.4, ES-2, ES-7: a new commit is an update", async () => {
  const commit = sample.commit({ "README.md": "# An example\n" });
  const answer = await deploy(sample.path);
  const { path: repository } = sample;
  const functions = [`/${SAMPLE}/API`];
  assert.deepEqual(answer.json, { message: "Yeah! project updated.", repository, project: SAMPLE, functions });
  const { deployment } = await cluster.untilBuilt(answer);
  assert.partialDeepStrictEqual(deployment, { number: 2, commit, status: "ready", isCurrent: true });
});

test("5.11.5, ES-3, ES-8: the function says Hello, World! and logs who asked", async () => {
  const { status, text, headers } = await get(`/invoke/${SAMPLE}/API`);
  assert.deepEqual([status, text, headers.get("x-function-cold-start")], [200, "Hello, World!", "1"]);
  await cluster.untilLogged(SAMPLE, "API", /^Client ip address is 127\.0\.0\.1\.$/);
});

test("5.11.7, ES-2: what is no request is 400", async () => {
  const unparsed = { error: "Bad Request", message: "unable to parse request data" };
  for (const body of ["repository", "[]", `"text"`, `{"repository": 7}`, `{"repository": null}`, ""]) {
    const { status, json } = await cluster.ask("POST", "/api/projects", body);
    assert.deepEqual([status, json], [400, unparsed], body);
  }
  const notOne = { error: "Bad Request", message: "repository field is not a valid github repository url" };
  for (const repository of [
    "",
    "user/repo",
    "https://git.example/user/repo",
    "https://github.com/user",
    "ftp://a/b/c",
  ]) {
    const { status, json } = await deploy(repository);
    const { detail, ...rest } = json;
    assert.deepEqual([status, rest, typeof detail], [400, notOne, "string"], repository);
  }
  const { status, json } = await cluster.ask("POST", "/api/projects", {});
  assert.deepEqual([status, json["message"]], [400, notOne.message]);
});

test("5.11.7, ES-2: a repository that cannot be cloned, or has no manifest, is 500 and says why", async () => {
  const missing = await deploy(`${sample.path}-not-there`);
  assert.deepEqual([missing.status, missing.json["error"]], [500, "Server Error"]);
  assert.equal(missing.json["code"], "repository_not_found");
  const bare = await deploy(cluster.makeRepository({ "functions.js": "" }, "bare").path);
  assert.partialDeepStrictEqual(bare, { status: 500, json: { error: "Server Error", code: "manifest_missing" } });
  assert.deepEqual((await get("/api/projects/alice-bare")).json, NO_PROJECT);
});

test("5.11.7, ES-3: unknown projects, unknown functions and cron functions are 404", async () => {
  for (const [path, expected] of [
    ["/invoke/alice-nothing/API", NO_PROJECT],
    [`/invoke/${SAMPLE}/Nothing`, NO_FUNCTION],
    [`/invoke/${SAMPLE}/Ticker`, NO_FUNCTION],
    ["/logs/alice-nothing/API", NO_PROJECT],
    [`/logs/${SAMPLE}/Nothing`, NO_FUNCTION],
  ] as const) {
    for (const method of path.startsWith("/invoke") ? ["GET", "POST", "DELETE"] : ["GET"]) {
      const { status, json } = await cluster.ask(method, path);
      assert.deepEqual([status, json], [404, expected], `${method} ${path}`);
    }
  }
});

test("5.11.8: a function that never answers is cut at its own timeout, and at 30 s where it has none", async () => {
  const { project } = await cluster.deploy({
    ".eserveless.yaml": `runtime: node
functions:
- {name: quick, type: http, timeout: 1s}
- {name: slow, type: http}
- {name: echo, type: http}
`,
    "functions.js": `
exports.quick = exports.slow = () => {};
exports.echo = async (req, res) => {
  const body = Buffer.concat(await Array.fromAsync(req));
  res.writeHead(203, { "x-own": req.headers["x-mine"] }).end(req.method + " " + req.url + " " + body);
};
`,
  });
  kit = project;
  const startedAt = performance.now();
  late = get(`/invoke/${kit}/slow`).then(({ status, json }) => {
    return { status, code: json["code"], afterMs: performance.now() - startedAt };
  });
  const cut = await get(`/invoke/${kit}/quick`);
  assert.deepEqual([cut.status, cut.json["code"]], [504, "function_timeout"]);
  const { json } = await get(`/api/projects/${kit}/functions/slow`);
  assert.equal(json["timeoutMs"], 30_000);
});

test("ES-3: whatever the method, the function gets the request and answers it, without a redirect", async () => {
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    const body = method === "GET" ? undefined : "a body";
    const answer = await cluster.ask(method, `/invoke/${kit}/echo/a%2Fb/c?x=1&x=2`, body, { "x-mine": "yes" });
    const expected = `${method} /a%2Fb/c?x=1&x=2 ${body ?? ""}`;
    assert.deepEqual([answer.status, answer.text, answer.headers.get("x-own")], [203, expected, "yes"]);
  }
});

test("ES-4: projects are listed, shown and deleted, and are none of them users", async () => {
  const { project } = await cluster.deploy(cluster.makeRepository(SEED, "short-lived"));
  const listed = (await get("/api/projects")).json["projects"] as { name: string }[];
  assert.deepEqual(
    listed.filter(({ name }) => [SAMPLE, project].includes(name)).map(({ name }) => name),
    [SAMPLE, project],
  );
  assert.deepEqual(Object.keys((await get("/api/projects")).json), ["projects"]);
  const shown = (await get(`/api/projects/${SAMPLE}`)).json;
  assert.partialDeepStrictEqual(shown, { name: SAMPLE, repository: sample.path, status: "ready", current: 2 });
  assert.deepEqual(
    (shown["deployments"] as { number: number; isCurrent: boolean }[]).map((each) => [each.number, each.isCurrent]),
    [
      [2, true],
      [1, false],
    ],
  );
  assert.deepEqual((await cluster.ask("DELETE", `/api/projects/${project}`)).json, { message: "project deleted." });
  for (const [method, path] of [
    ["GET", `/api/projects/${project}`],
    ["DELETE", `/api/projects/${project}`],
    ["GET", `/invoke/${project}/API`],
  ] as const) {
    const { status, json } = await cluster.ask(method, path);
    assert.deepEqual([status, json], [404, NO_PROJECT], `${method} ${path}`);
  }
  for (const [method, path] of [
    ["GET", "/api/users"],
    ["POST", "/api/users"],
    ["GET", "/api/users/alice"],
    ["DELETE", "/api/users/alice"],
  ] as const) {
    const { status, json } = await cluster.ask(method, path);
    assert.deepEqual([status, json["error"]], [501, "Not Implemented"], `${method} ${path}`);
  }
});

test("ES-5: a manifest's mistakes are told with their lines, all at once, and nothing is changed", async () => {
  const manifest = "runtime: ruby\nfunctions:\n- name: a b\n  type: queue\n- name: C\n  type: cron\n  schedule: now\n";
  sample.commit({ ".eserveless.yaml": manifest });
  const { status, json } = await deploy(sample.path);
  assert.deepEqual([status, json["error"], json["code"]], [500, "Server Error", "manifest_invalid"]);
  assert.deepEqual(
    (json["problems"] as { line: number; field: string }[]).map(({ line, field }) => [line, field]),
    [
      [1, "runtime"],
      [3, "functions[0].name"],
      [4, "functions[0].type"],
      [7, "functions[1].schedule"],
    ],
  );
  assert.match(String(json["message"]), /line 1: runtime must be node or go; line 3: /);
  assert.equal((await get(`/invoke/${SAMPLE}/API`)).text, "Hello, World!");
  assert.equal((await get(`/api/projects/${SAMPLE}`)).json["current"], 2);
});

test("ES-6: a build tells its log, as events", async () => {
  const { text, headers } = await get(`/api/projects/${SAMPLE}/deployments/2/log`);
  assert.equal(headers.get("content-type"), "text/event-stream");
  assert.match(text, new RegExp(`data: {"text":"building ${SAMPLE} at [0-9a-f]{40} for node"}`));
  assert.match(text, /data: {"text":"ready after \d+ ms"}\n\nevent: end\ndata: {.*"status":"ready"/);
  assert.deepEqual((await get(`/api/projects/${SAMPLE}/deployments/9/log`)).json, { message: "deployment not found!" });
});

test("ES-7: functions that a new commit has not any more are gone, and are back with the one before", async () => {
  const both = httpProject({ first: "(req, res) => res.end('1')", second: "(req, res) => res.end('2')" });
  const repository = cluster.makeRepository(both, "shrinking");
  const { project } = await cluster.deploy(repository);
  assert.equal((await get(`/invoke/${project}/second`)).text, "2");
  repository.commit(httpProject({ first: "(req, res) => res.end('1')" }));
  await cluster.deploy(repository);
  assert.deepEqual((await get(`/invoke/${project}/second`)).json, NO_FUNCTION);
  assert.deepEqual((await get(`/api/projects/${project}/functions/second`)).json, NO_FUNCTION);
  const back = await cluster.ask("POST", `/api/projects/${project}/rollback`);
  assert.partialDeepStrictEqual(back.json, { message: "Yeah! project rolled back.", project, deployment: 3 });
  const { deployment } = await cluster.untilBuilt(back);
  assert.partialDeepStrictEqual(deployment, { status: "ready", isCurrent: true, rollbackOf: 1 });
  assert.equal((await get(`/invoke/${project}/second`)).text, "2");
});

test("ES-8: a function's sandbox is kept for the next request, and its figures are told", async () => {
  const { headers } = await get(`/invoke/${SAMPLE}/API`);
  assert.equal(headers.get("x-function-cold-start"), "0");
  const { json } = await get(`/api/projects/${SAMPLE}/functions/API`);
  assert.partialDeepStrictEqual(json, { type: "http", url: `/invoke/${SAMPLE}/API`, coldStarts: 1, failures: 0 });
  const readSandboxes = async () => JSON.stringify((await cluster.readFunction(SAMPLE, "API")).sandboxes);
  await until(async () => (await readSandboxes()) === '{"warm":1,"busy":0,"waiting":0}', { withinMs: 20_000 });
});

test("ES-9: a cron function is run out of turn where somebody asks for it", async () => {
  const ticked = await cluster.ask("POST", `/ticks/${SAMPLE}/Ticker`);
  assert.equal(ticked.status, 202);
  asked = ticked.json["run"];
  const runs = async () =>
    (await get(`/api/projects/${SAMPLE}/functions/Ticker`)).json["runs"] as { id: string; status: string }[];
  await until(async () => (await runs()).some(({ id, status }) => id === asked && status === "completed"), {
    withinMs: 20_000,
    what: "the run is over",
  });
  for (const [path, expected] of [
    [`/ticks/${SAMPLE}/API`, NO_FUNCTION],
    ["/ticks/alice-nothing/Ticker", NO_PROJECT],
  ] as const) {
    const { status, json } = await cluster.ask("POST", path);
    assert.deepEqual([status, json], [404, expected], path);
  }
});

test("ES-11: the command line's words for what goes wrong, with exit code 1", async () => {
  const nothing = await cli("deploy");
  assert.match(nothing.stderr, /Please specify the github repo: user\/repo/);
  const refused = await cli("deploy", `${sample.path}-not-there`);
  assert.match(refused.stderr, /something went wrong with your request/);
  const away = await runIn({ env: { GENSERVERLESS_URL: "http://127.0.0.1:9" } }, "deploy", sample.path);
  assert.match(away.stderr, /error connecting to eserveless platform server/);
  assert.deepEqual([refused.code, away.code], [1, 1]);
});

test("5.11.8: after 30 s the one without a timeout of its own is cut too", async () => {
  const { status, code, afterMs } = await late;
  assert.deepEqual([status, code], [504, "function_timeout"]);
  assert.ok(afterMs >= 30_000 && afterMs < 36_000, String(afterMs));
});

test("5.11.6, ES-9: within a minute Ticker has ticked by itself, and logged its envs with the meta", async () => {
  const { json } = await get(`/api/projects/${SAMPLE}/functions/Ticker`);
  const untilMs = Date.parse(String(json["nextAt"])) - Date.now();
  assert.ok(untilMs <= 60_000, String(json["nextAt"]));
  const bySchedule = async () => {
    const { runs } = (await get(`/api/projects/${SAMPLE}/functions/Ticker`)).json as {
      runs: { id: string; status: string; dueAt: string }[];
    };
    const isOwn = ({ id, dueAt }: { id: string; dueAt: string }) => id !== asked && Date.parse(dueAt) % 60_000 < 10_000;
    return runs.find((run) => run.status === "completed" && isOwn(run));
  };
  await until(bySchedule, { withinMs: 90_000, what: "Ticker ticks", everyMs: 500 });
  const { stream } = await cluster.untilLogged(SAMPLE, "Ticker", /^Ticker ticked at \d+$/);
  assert.equal(stream, "stdout");
  const texts = (await cluster.readLog(SAMPLE, "Ticker")).map(({ text }) => text);
  assert.ok(texts.includes("{ ESERVELESS_PATH: '/usr/bin', ESERVELESS_NAME: 'prod' }"), texts.join(" | "));
});

test("ES-10: projects outlive whoever serves them: the functions service and the worker are killed", async () => {
  const asked = async () => (await get(`/api/projects/${SAMPLE}`)).json;
  const expected = await asked();
  const [worker] = cluster.cluster.workers;
  await Promise.all([cluster.service.child.kill(), worker?.kill()]);
  assert.deepEqual(await asked(), expected);
  assert.partialDeepStrictEqual(await get(`/invoke/${SAMPLE}/API`), {
    status: 503,
    json: { code: "functions_unavailable" },
  });
  await Promise.all([cluster.service.restart(), worker?.start()]);
  assert.equal((await get(`/invoke/${SAMPLE}/API`)).text, "Hello, World!");
  assert.deepEqual(await asked(), expected);
});
