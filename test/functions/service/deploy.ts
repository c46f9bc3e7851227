/** From a repository to a build: what comes of it, and what is said of one that cannot be deployed. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../../tools/child.ts";
import { FunctionsService, TOKEN } from "../functions-service.ts";
import { type Files, GitRepository, httpProject, SEED } from "../git-repository.ts";

const service = new FunctionsService({ FUNCTIONS_REPOSITORY_MB: "2" });
before(() => service.start());
after(async () => {
  await service.stop();
  assertNoChildLeft();
});

const HELLO = httpProject({ hello: "(req, res) => res.end('hello')" });

test("ES-2: a checkout is named USER-REPO, and says branch, commit and manifest", async () => {
  const repository = service.makeRepository(SEED, "seed");
  const { status, json } = await service.ask("POST", "/v1/checkouts", { repository: ` ${repository.path}/ ` });
  assert.equal(status, 200);
  const commit = repository.git("rev-parse", "HEAD");
  assert.partialDeepStrictEqual(json, { project: "alice-seed", ref: "main", commit, repository: repository.path });
  const { functions } = json["manifest"] as { functions: { name: string }[] };
  assert.deepEqual(
    functions.map(({ name }) => name),
    ["API", "Ticker"],
  );
  const again = await service.ask("POST", "/v1/checkouts", { repository: `file://${repository.path}` });
  assert.deepEqual(again.json, json);
});

test("a branch, a tag and a commit can be asked for", async () => {
  const repository = service.makeRepository(HELLO, "refs");
  const first = repository.git("rev-parse", "HEAD");
  repository.git("tag", "-a", "v1", "-m", "one");
  repository.git("checkout", "-q", "-b", "next/one");
  const second = repository.commit({ "more.txt": "more" });
  repository.git("checkout", "-q", "main");
  const commitAt = async (ref: string) =>
    (await service.ask("POST", "/v1/checkouts", { repository: repository.path, ref })).json["commit"];
  assert.deepEqual(
    [await commitAt("v1"), await commitAt("next/one"), await commitAt("main"), await commitAt(second)],
    [first, second, first, second],
  );
  assert.partialDeepStrictEqual(await service.refusal(repository, "nowhere"), { status: 404, code: "ref_not_found" });
  assert.partialDeepStrictEqual(await service.refusal(repository, "f".repeat(40)), {
    status: 404,
    code: "ref_not_found",
  });
  for (const ref of ["--upload-pack=x", "a..b", "*"]) {
    assert.partialDeepStrictEqual(await service.refusal(repository, ref), { status: 400, code: "invalid_request" });
  }
});

test("ES-6: a build is made once, tells its log while it happens, and keeps it", async () => {
  const repository = service.makeRepository(HELLO, "logged");
  const deployed = await service.deploy(repository);
  const again = await service.ask("POST", "/v1/builds", deployed);
  assert.deepEqual([again.status, again.json["status"]], [200, "ready"]);
  const id = `${deployed.project}@${deployed.commit}`;
  const headers = { authorization: `Bearer ${TOKEN}` };
  const log = await (await fetch(`${service.url}/v1/builds/${id}/log`, { headers })).text();
  assert.match(log, /event: line\nid: 0-1\ndata: {"text":"building alice-logged at [0-9a-f]{40} for node"}/);
  assert.match(log, /"ready after \d+ ms"[\s\S]*event: end\ndata: {.*"status":"ready"/);
  const rest = await fetch(`${service.url}/v1/builds/${id}/log`, { headers: { ...headers, "last-event-id": "0-1" } });
  assert.doesNotMatch(await rest.text(), /building/);
  assert.equal(
    (await service.ask("GET", `/v1/builds/${deployed.project}@${"0".repeat(40)}`)).json["code"],
    "unknown_build",
  );
});

test("dependencies come from the lock file", async () => {
  const repository = new GitRepository("packed");
  service.repositories.push(repository);
  repository.write("vendor/greeting/package.json", `{"name": "greeting", "version": "1.0.0", "main": "index.js"}`);
  repository.write("vendor/greeting/index.js", "module.exports = () => 'from a dependency';");
  execFileSync("npm", ["pack", "--silent", "--pack-destination", ".."], {
    cwd: join(repository.path, "vendor/greeting"),
  });
  repository.write(
    "package.json",
    JSON.stringify({ name: "packed", dependencies: { greeting: "file:vendor/greeting-1.0.0.tgz" } }),
  );
  execFileSync("npm", ["install", "--package-lock-only", "--offline", "--silent"], { cwd: repository.path });
  repository.commit(httpProject({ greet: "(req, res) => res.end(require('greeting')())" }));
  const deployed = await service.deploy(repository);
  assert.equal((await service.run(deployed, "greet")).body, "from a dependency");
});

test("the scripts of dependencies and of the project do not run", async () => {
  const repository = new GitRepository("scripted");
  service.repositories.push(repository);
  repository.write(
    "vendor/loud/package.json",
    `{"name": "loud", "version": "1.0.0", "scripts": {"install": "touch /tmp/ran ran; false"}}`,
  );
  execFileSync("npm", ["pack", "--silent", "--pack-destination", ".."], { cwd: join(repository.path, "vendor/loud") });
  const scripts = { preinstall: "touch ran; false", postinstall: "false" };
  repository.write(
    "package.json",
    JSON.stringify({ name: "scripted", scripts, dependencies: { loud: "file:vendor/loud-1.0.0.tgz" } }),
  );
  repository.write(".npmrc", "ignore-scripts=false\n");
  execFileSync("npm", ["install", "--package-lock-only", "--offline", "--silent", "--ignore-scripts"], {
    cwd: repository.path,
  });
  repository.commit(HELLO);
  await service.deploy(repository);
});

test("a repository that cannot be deployed is refused with what is wrong with it", async () => {
  const named: [string, Files, RegExp][] = [
    ["manifest_missing", { "functions.js": "" }, /no \.eserveless\.yaml/],
    [
      "manifest_invalid",
      { ".eserveless.yaml": "runtime: node\nfunctions:\n- name: a\n  type: queue\n" },
      /line 4: functions\[0\]\.type must be http, cron or event/,
    ],
    ["no_entry", { ".eserveless.yaml": HELLO[".eserveless.yaml"] ?? "" }, /functions\.js/],
    [
      "not_exported",
      { ...HELLO, "functions.js": "exports.other = () => {}; exports.hello = 7;" },
      /hello: no such function is exported/,
    ],
    ["not_loaded", { ...HELLO, "functions.js": "this is no JavaScript" }, /SyntaxError/],
    ["not_loaded", { ...HELLO, "functions.js": "require('not-there')" }, /Cannot find module 'not-there'/],
    ["not_loaded", { ...HELLO, "functions.js": "process.exit(0)" }, /exit code 0/],
    [
      "not_loaded",
      { ...HELLO, "functions.js": "console.log('on my way'); process.abort()" },
      /SIGABRT|exit code 134|on my way/,
    ],
    ["lock_file_missing", { ...HELLO, "package.json": `{"dependencies": {"a": "1.0.0"}}` }, /no package-lock\.json/],
    [
      "lock_file_broken",
      { ...HELLO, "package.json": `{"dependencies": {"a": "1.0.0"}}`, "package-lock.json": "{" },
      /package-lock\.json/,
    ],
    [
      "lock_file_broken",
      {
        ...HELLO,
        "package.json": `{"dependencies": {"a": "file:./a"}}`,
        "a/package.json": `{"name": "a", "version": "1.0.0"}`,
        "package-lock.json": `{"lockfileVersion": 3, "packages": {}}`,
      },
      /in sync/,
    ],
    ["package_broken", { ...HELLO, "package.json": "[]" }, /package\.json: it is no object/],
    ["repository_too_large", { ...HELLO, "large.txt": "x".repeat(3_000_000) }, /more than/],
    [
      "repository_too_large",
      { ...HELLO, "noise.txt": Array.from({ length: 250_000 }, () => Math.random().toString(36)).join("") },
      /./,
    ],
  ];
  for (const [code, files, words] of named) {
    const refusal = await service.refusal(files);
    assert.deepEqual([refusal.code, words.test(refusal.detail)], [code, true], JSON.stringify(refusal));
  }
});

test("a repository that is missing, empty or not allowed is named as that", async () => {
  const empty = new GitRepository("empty");
  service.repositories.push(empty);
  const codeOf = async (repository: unknown) => {
    const { status, json } = await service.ask("POST", "/v1/checkouts", { repository });
    return [status, json["code"]];
  };
  assert.deepEqual(await codeOf(empty.path), [422, "repository_empty"]);
  assert.deepEqual(await codeOf("/nowhere/at/all"), [404, "repository_not_found"]);
  assert.deepEqual(await codeOf(service.dataDir), [404, "repository_not_found"]);
  assert.deepEqual(await codeOf("https://git.example/user/repo"), [403, "repository_refused"]);
  assert.deepEqual(await codeOf("git@git.example:user/repo.git"), [403, "repository_refused"]);
  const malformed = [
    "",
    7,
    null,
    "user/repo",
    "ftp://github.com/a/b",
    "https://github.com/a",
    "https://github.com/a/b/c",
    "https://u:p@github.com/a/b",
    "ext::sh -c id",
    "https://github.com/a/b?x",
    "-oProxyCommand=x",
  ];
  for (const repository of malformed)
    assert.deepEqual(await codeOf(repository), [400, "invalid_repository"], String(repository));
});

test("a symbolic link out of the tree is refused, also through other links; one within it works", async () => {
  for (const [name, links] of [
    ["absolute", { "secret.txt": "/etc/passwd" }],
    ["above", { "a/b": "../../secret" }],
    ["chained", { "a/b/up": "../..", out: "a/b/up/../.." }],
    ["nothing", { gone: "not-there" }],
  ] as const) {
    const repository = new GitRepository(`link-${name}`);
    service.repositories.push(repository);
    for (const [path, target] of Object.entries(links)) repository.link(path, target);
    repository.commit(HELLO);
    assert.equal((await service.refusal(repository)).code, "symlink_refused", name);
  }
  const repository = new GitRepository("link-inside");
  service.repositories.push(repository);
  repository.link("functions.js", "src/real.js");
  const { ".eserveless.yaml": manifest = "", "functions.js": source = "" } = HELLO;
  repository.commit({ ".eserveless.yaml": manifest, "src/real.js": source });
  assert.equal((await service.run(await service.deploy(repository), "hello")).body, "hello");
});

test("a submodule comes with its parent where its repository is allowed, and is refused elsewhere", async () => {
  const part = service.makeRepository({ "index.js": "module.exports = 'from a submodule';" }, "part");
  const whole = new GitRepository("whole");
  service.repositories.push(whole);
  whole.git("submodule", "--quiet", "add", part.path, "parts/part");
  whole.commit(httpProject({ show: "(req, res) => res.end(require('./parts/part'))" }));
  assert.equal((await service.run(await service.deploy(whole), "show")).body, "from a submodule");
  for (const url of ["https://git.example/a/b", "ext::sh -c id", "/nowhere"]) {
    whole.git("config", "-f", ".gitmodules", "submodule.parts/part.url", url);
    whole.commit({});
    const refusal = await service.refusal(whole);
    assert.deepEqual([refusal.code, /parts\/part/.test(refusal.detail)], ["submodule_refused", true], url);
  }
});

test("hooks and configuration of a repository are not used", async () => {
  const repository = service.makeRepository(HELLO, "hooked");
  const touched = join(repository.path, "touched");
  repository.commit({ ".gitattributes": "* filter=evil\n" });
  repository.git("config", "filter.evil.smudge", `touch ${touched}; cat`);
  repository.git("config", "uploadpack.packObjectsHook", `touch ${touched}; exec`);
  await service.deploy(repository);
  assert.equal(existsSync(touched), false);
});

test("a failed build leaves the one before as it was, and can be asked for again", async () => {
  const repository = service.makeRepository(HELLO, "kept");
  const good = await service.deploy(repository);
  repository.commit({ "functions.js": "nonsense here" });
  assert.equal((await service.refusal(repository)).code, "not_loaded");
  assert.equal((await service.run(good, "hello")).body, "hello");
  assert.equal((await service.refusal(repository)).code, "not_loaded");
});

test("a project's name belongs to one repository until it is deleted; then nothing is left of it", async () => {
  const first = service.makeRepository(HELLO, "taken");
  const second = service.makeRepository(HELLO, "taken");
  const deployed = await service.deploy(first);
  assert.equal((await service.run(deployed, "hello")).status, 200);
  assert.equal((await service.refusal(second)).code, "project_conflict");
  assert.equal((await service.ask("DELETE", `/v1/projects/${deployed.project}`)).status, 204);
  assert.equal(readdirSync(join(service.dataDir, "projects")).includes(deployed.project), false);
  assert.equal((await service.run(deployed, "hello")).status, 404);
  assert.equal((await service.ask("DELETE", `/v1/projects/${deployed.project}`)).json["code"], "unknown_project");
  await service.deploy(second);
});

test("a build that is deleted runs no more, others of its project do", async () => {
  const repository = service.makeRepository(HELLO, "two-builds");
  const old = await service.deploy(repository);
  repository.commit(httpProject({ hello: "(req, res) => res.end('newer')" }));
  const newer = await service.deploy(repository);
  assert.deepEqual(
    [(await service.run(old, "hello")).body, (await service.run(newer, "hello")).body],
    ["hello", "newer"],
  );
  assert.equal((await service.ask("DELETE", `/v1/builds/${old.project}/${old.commit}`)).status, 204);
  assert.deepEqual(
    [(await service.run(old, "hello")).status, (await service.run(newer, "hello")).body],
    [404, "newer"],
  );
});

test("what is current is kept warm, and what was before is not", async () => {
  const repository = service.makeRepository(
    httpProject({ warm: "(req, res) => res.end('warm')" }, "  keepWarm: 1\n"),
    "warm",
  );
  const deployed = await service.deploy(repository);
  assert.equal(
    (await service.ask("PUT", `/v1/projects/${deployed.project}/current`, { commit: deployed.commit })).status,
    200,
  );
  let isWarm = false;
  while (!isWarm) {
    const { json } = await service.ask("GET", "/v1/functions");
    isWarm = (json["pools"] as { project: string; idle: number }[]).some(
      (one) => one.project === deployed.project && one.idle === 1,
    );
  }
  assert.equal((await service.run(deployed, "warm")).headers["x-function-cold-start"], "0");
});
