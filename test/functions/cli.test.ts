/** ES-11: the command line for functions, against a cluster with a functions service. Most commands run inside this process. */

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, test } from "node:test";
import { type RunOptions, runIn } from "@genserverless/cli/run.test-support.ts";
import { assertNoChildLeft, nodeChild } from "../tools/child.ts";
import { findExamples, needsFunctions } from "../tools/cli-examples.ts";
import { run } from "../tools/run.ts";
import { until } from "../tools/until.ts";
import { FunctionsCluster } from "./functions-cluster.ts";
import { Gate } from "./gate.ts";
import { GitRepository, httpProject, SEED } from "./git-repository.ts";

const MAIN = join(import.meta.dirname, "../../cli/src/main.ts");
const SOON = { withinMs: 20_000 };

const gate = new Gate();
const cluster = new FunctionsCluster();
before(() => Promise.all([gate.start(), cluster.start()]));
after(async () => {
  await cluster.stop();
  await gate.stop();
  assertNoChildLeft();
});

const cliIn = (options: RunOptions, ...args: string[]) =>
  runIn({ ...options, env: { GENSERVERLESS_URL: cluster.url } }, ...args);
const cli = (...args: string[]) => cliIn({}, ...args);

async function answerOf(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await cli(...args, "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

test("ES-11: the seed's project is deployed, not changed, changed, and rolled back", async () => {
  const repository = cluster.makeRepository(SEED, "seed");
  const asking = `Asking serveless to check in ... [${repository.path}]\n`;
  const endpoints = `List of http api endpoints\n-  ${cluster.url}/invoke/alice-seed/API\n`;
  const first = await cli("deploy", repository.path);
  assert.deepEqual([first.code, first.stdout], [0, `${asking}[ok]  Yeah! project created.\n${endpoints}`]);
  assert.match(first.stderr, /^building alice-seed at [0-9a-f]{40} for node\n/);
  assert.match(first.stderr, /\ndeployment 1 of alice-seed is ready, after \S+s\n$/);
  assert.deepEqual(await cli("invoke", "alice-seed", "API"), { code: 0, stdout: "Hello, World!", stderr: "" });
  const again = await cli("deploy", repository.path);
  assert.equal(again.stdout, `${asking}[ok]  repository has not changed since last deployment\n`);
  repository.commit({ "functions.js": SEED["functions.js"]?.replace("Hello", "Goodbye") ?? "" });
  const changed = await cli("deploy", repository.path, "--ref", "main");
  assert.equal(changed.stdout, `${asking}[ok]  Yeah! project updated.\n${endpoints}`);
  assert.equal((await cli("invoke", "alice-seed", "API")).stdout, "Goodbye, World!");
  const back = await cli("rollback", "alice-seed");
  assert.deepEqual([back.code, back.stdout], [0, "[ok]  Yeah! project rolled back.\n"], back.stderr);
  assert.equal((await cli("invoke", "alice-seed", "API")).stdout, "Hello, World!");
  assert.equal((await cli("rollback", "alice-seed", "--to", "7")).code, 1);
  const { deployments } = await answerOf("projects", "alice-seed");
  assert.deepEqual(
    (deployments as { number: number; isCurrent: boolean }[]).map(({ number, isCurrent }) => [number, isCurrent]),
    [
      [3, true],
      [2, false],
      [1, false],
    ],
  );
});

test("a build that fails is told with its reason, and the deployment before goes on serving", async () => {
  const repository = cluster.makeRepository(httpProject({ hello: "(req, res) => res.end('as before')" }), "failing");
  await cluster.deploy(repository);
  repository.commit({ "functions.js": "exports.other = () => {};" });
  const { code, stderr } = await cli("deploy", repository.path);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /\ngenserverless: deployment 2 of alice-failing failed: not_exported: [^\n]+; deployment 1 goes on serving\n$/,
  );
  assert.equal((await cli("invoke", "alice-failing", "hello")).stdout, "as before");
});

test("each mistake of a manifest is told on its line, and what is no repository is too", async () => {
  const manifest = "runtime: node\nfunctions:\n- name: API\n  type: htp\n- name: Ticker\n  type: cron\n";
  const repository = cluster.makeRepository({ ".eserveless.yaml": manifest }, "mistaken");
  const { code, stderr } = await cli("deploy", repository.path);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^genserverless: something went wrong with your request: manifest_invalid\n {2}line 4: functions\[0\]\.type /,
  );
  assert.match(stderr, /\n {2}line \d: functions\[1\]\.schedule is missing\n/);
  const nowhere = await cli("deploy", `${repository.path}/nowhere`);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /: something went wrong with your request: repository_not_found: /);
  const refused = await cli("deploy", "https://git.example/alice/shop");
  assert.match(refused.stderr, /: something went wrong with your request: http_400: repositories come from /);
});

test("invoke streams both ways, and tells an error of the function from one of the platform", async () => {
  const deployed = await cluster.deploy(
    httpProject({
      echo: "(req, res) => { res.writeHead(200); req.pipe(res); }",
      seen: "(req, res) => { res.writeHead(418); res.end(req.method + ' ' + req.url + ' ' + req.headers['x-a']); }",
      thrower: "() => { throw new Error('on purpose'); }",
    }),
  );
  const { project } = deployed;
  const stdin = new PassThrough();
  stdin.write("one ");
  const onOutput = (stdout: string) => {
    if (stdout === "one ") stdin.end("two");
  };
  const echoed = await cliIn({ input: stdin, onOutput }, "invoke", project, "echo", "-d", "-");
  assert.deepEqual(echoed, { code: 0, stdout: "one two", stderr: "" });
  const seen = await cli("invoke", project, "seen", "/a/b?c=d", "-X", "DELETE", "-H", "X-A: 7");
  assert.deepEqual(
    [seen.code, seen.stdout, seen.stderr],
    [1, "DELETE /a/b?c=d 7", `genserverless: ${project}/seen answered 418\n`],
  );
  const thrown = await cli("invoke", project, "thrower");
  assert.deepEqual([thrown.code, thrown.stdout], [1, ""]);
  assert.match(thrown.stderr, /^genserverless: function_threw: thrower: [^\n]*on purpose/);
  const unknown = await cli("invoke", project, "nobody");
  assert.deepEqual([unknown.code, unknown.stderr], [1, "genserverless: http_404: function not found!\n"]);
  assert.equal((await cli("invoke", "nobody", "API")).stderr, "genserverless: http_404: project not found!\n");
});

test("what init writes is deployed unchanged; its cron function is run, and its log is read and followed", async () => {
  const repository = new GitRepository("starter");
  cluster.service.repositories.push(repository);
  const written = await cli("init", repository.path);
  assert.deepEqual([written.code, written.stdout.split("\n").length], [0, 5]);
  repository.commit({});
  const { code, stderr } = await cli("deploy", repository.path);
  assert.equal(code, 0, stderr);
  assert.equal((await cli("invoke", "alice-starter", "API", "/x")).stdout, "Hello, World!\n");
  const { run: id } = await answerOf("invoke", "alice-starter", "Ticker", "--tick");
  const readRun = async () => {
    const { runs } = await answerOf("functions", "alice-starter", "Ticker");
    return (runs as { id: string; status: string }[]).find((each) => each.id === id)?.status === "completed";
  };
  await until(readRun, SOON);
  const log = await cli("logs", "--function", "alice-starter/Ticker", "--tail", "1");
  assert.match(log.stdout, /^\S+Z [0-9a-f]{7} sandbox \d+ stdout {2}Hello, it is \S+Z\n$/);
  const env = { GENSERVERLESS_URL: cluster.url };
  const args = ["logs", "--function", "alice-starter/API", "--follow", "--json"];
  const followed = nodeChild({ name: "logs", script: MAIN, args, env });
  await followed.start();
  await followed.untilRecord(({ text }) => text === "GET /x", SOON);
  await cli("invoke", "alice-starter", "API", "/later");
  await followed.untilRecord(({ text }) => text === "GET /later", SOON);
  followed.signal("SIGINT");
  await followed.untilExit();
  const wrong = await cli("invoke", "alice-starter", "API", "--tick");
  assert.deepEqual([wrong.code, wrong.stderr], [1, "genserverless: http_404: function not found!\n"]);
  const table = await cli("functions", "alice-starter");
  assert.match(table.stdout, /^FUNCTION .*\nalice-starter\/API +http +2 .*\nalice-starter\/Ticker +cron .*s\n$/);
});

test("deploy goes on over a kill of the functions service", async () => {
  gate.shut();
  const files = {
    ".eserveless.yaml": "runtime: node\nfunctions:\n- name: hello\n  type: http\n",
    "functions.mjs": `${gate.ask("/load")};\nexport const hello = (req, res) => res.end("hello");`,
  };
  const repository = cluster.makeRepository(files, "killed");
  const deploying = cli("deploy", repository.path);
  const readStatus = async () => (await cluster.ask("GET", "/api/projects/alice-killed/deployments/1")).json["status"];
  await until(() => gate.count("/load") > 0, { ...SOON, what: "the build is under way" });
  assert.equal(await readStatus(), "building");
  cluster.service.child.signal("SIGKILL");
  await cluster.service.child.untilExit();
  gate.open();
  await cluster.service.restart();
  const { code, stderr } = await deploying;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /deployment 1 of alice-killed is ready/);
});

test("a tab completes projects and functions", async () => {
  await cluster.deploy(cluster.makeRepository(SEED, "tabbed"));
  const complete = async (...words: string[]) => (await cli("complete", "--", ...words)).stdout;
  assert.equal(await complete("rollback", "alice-ta"), "alice-tabbed\n");
  assert.equal(await complete("invoke", "alice-tabbed", ""), "API\nTicker\n");
  assert.equal(await complete("logs", "--function", "alice-tabbed/T"), "alice-tabbed/Ticker\n");
});

test("a project that is deleted is gone", async () => {
  const { project } = await cluster.deploy(SEED);
  assert.deepEqual(await cli("delete", project, "--yes"), { code: 0, stdout: "project deleted.\n", stderr: "" });
  assert.equal((await cli("projects", project)).stderr, "genserverless: http_404: project not found!\n");
  assert.equal((await cli("delete", project, "--yes")).code, 1);
});

test("every example of the help is a command that works", { timeout: 180_000 }, async () => {
  const repository = cluster.makeRepository(SEED, "shop");
  const folder = mkdtempSync(join(tmpdir(), "cli-"));
  writeFileSync(join(folder, "genserverless"), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  chmodSync(join(folder, "genserverless"), 0o755);
  const env = {
    PATH: `${folder}:${process.env["PATH"]}`,
    NODE_COMPILE_CACHE: join(import.meta.dirname, "../../.cache/compile"),
    GENSERVERLESS_URL: cluster.url,
  };
  try {
    const examples = findExamples().filter(({ line }) => needsFunctions(line));
    for (const { name, line } of examples) {
      repository.commit({ "README.md": line });
      const isThere = (await cluster.ask("GET", "/api/projects/alice-shop")).status === 200;
      if (name === "rollback" || (name !== "deploy" && !isThere)) await cluster.deploy(repository);
      const { code, stderr } = await run("sh", ["-c", `cd ${dirname(repository.path)} && ${line}`], env);
      assert.equal(code, 0, `${line}: ${stderr}`);
    }
    assert.ok(examples.length > 14);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
