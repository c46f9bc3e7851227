/** Deployments through the api: many at once, one in the way of another, and repositories that cannot be deployed. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { type Answered, FunctionsCluster } from "./functions-cluster.ts";
import { Gate } from "./gate.ts";
import { type Files, GitRepository, httpProject } from "./git-repository.ts";

const SOON = { withinMs: 60_000 };

const gate = new Gate();
const cluster = new FunctionsCluster({ service: { FUNCTIONS_REPOSITORY_MB: "1", FUNCTIONS_BUILDS: "3" } });

before(async () => {
  await Promise.all([gate.start(), cluster.start()]);
});

after(async () => {
  gate.open();
  await cluster.stop();
  await gate.stop();
  assertNoChildLeft();
});

/** A project whose build asks the gate, and whose function says a text. */
function gated(text: string): Files {
  const { ".eserveless.yaml": manifest = "" } = httpProject({ page: "" });
  const page = `export const page = (req, res) => res.end(${JSON.stringify(text)});`;
  return { ".eserveless.yaml": manifest, "functions.mjs": `${gate.ask(`/${text}`)};\n${page}` };
}

function post(body: unknown): Promise<Answered> {
  return cluster.ask("POST", "/api/projects", body);
}

async function untilAsked(text: string): Promise<void> {
  await until(() => gate.count(`/${text}`) > 0, { ...SOON, everyMs: 10, what: `the build of ${text} is under way` });
}

async function statusesOf(project: string): Promise<string[]> {
  const { json } = await cluster.ask("GET", `/api/projects/${project}`);
  const deployments = json["deployments"] as { number: number; status: string; isCurrent: boolean }[];
  return deployments.map(({ number, status, isCurrent }) => `${number} ${status}${isCurrent ? " current" : ""}`);
}

async function untilStatuses(project: string, wanted: string[]): Promise<void> {
  const isWanted = async () => (await statusesOf(project)).join() === wanted.join();
  await until(isWanted, { ...SOON, what: `the deployments of ${project} are ${wanted}` });
}

async function page(project: string): Promise<string> {
  return (await cluster.ask("GET", `/invoke/${project}/page`)).text;
}

test("20 projects deployed at once are all built, and answer", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => {
      const { path } = cluster.makeRepository(httpProject({ page: `(req, res) => res.end('${i}')` }));
      return post({ repository: path });
    }),
  );
  const projects = answers.map(({ json }) => String(json["project"]));
  assert.equal(new Set(projects).size, 20);
  const areReady = async () => {
    const { json } = await cluster.ask("GET", "/api/projects");
    return (json["projects"] as { status: string }[]).filter(({ status }) => status === "ready").length === 20;
  };
  await until(areReady, { ...SOON, everyMs: 250, what: "all of them are ready" });
  for (const [i, project] of projects.entries()) if (i % 5 === 0) assert.equal(await page(project), String(i));
});

test("asked for by many at once, a commit is one deployment", async () => {
  const repository = cluster.makeRepository(httpProject({ page: "(req, res) => res.end('one')" }), "at-once");
  const answers = await Promise.all(Array.from({ length: 6 }, () => post({ repository: repository.path })));
  assert.deepEqual(
    answers.map(({ status }) => status),
    Array.from({ length: 6 }, () => 200),
  );
  assert.equal(answers.filter(({ json }) => json["message"] === "Yeah! project created.").length, 1);
  await untilStatuses("alice-at-once", ["1 ready current"]);
});

test("invoked all the while, a project switches without an error, and from then on never goes back", async () => {
  const says = (text: string) => httpProject({ page: `(req, res) => res.end('${text}')` });
  const repository = cluster.makeRepository(says("old"), "switched");
  const { project } = await cluster.deploy(repository);
  const wrong: string[] = [];
  let isOver = false;
  const invoking = (async () => {
    while (!isOver) {
      const { status, text } = await cluster.ask("GET", `/invoke/${project}/page`);
      if (status !== 200 || (text !== "old" && text !== "new")) wrong.push(`${status} ${text}`);
    }
  })();
  repository.commit(says("new"));
  await cluster.deploy(repository);
  for (let i = 0; i < 20; i++) assert.equal(await page(project), "new");
  isOver = true;
  await invoking;
  assert.deepEqual(wrong, []);
});

test("a commit, a rollback and a deletion during a build take its place; what served goes on until then", async () => {
  const repository = cluster.makeRepository(gated("first"), "busy");
  const { project } = await cluster.deploy(repository);
  repository.commit(gated("second"));
  await cluster.deploy(repository);
  assert.equal(await page(project), "second");

  gate.shut();
  repository.commit(gated("third"));
  assert.equal((await post({ repository: repository.path })).json["message"], "Yeah! project updated.");
  await untilAsked("third");
  assert.equal(await page(project), "second");
  const rolled = await cluster.ask("POST", `/api/projects/${project}/rollback`);
  assert.deepEqual([rolled.status, rolled.json["deployment"]], [200, 4], rolled.text);
  await untilStatuses(project, ["4 ready current", "3 superseded", "2 ready", "1 ready"]);
  gate.open();
  await until(async () => (await page(project)) === "first", { ...SOON, what: "the first answers again" });

  gate.shut();
  assert.equal((await post({ repository: repository.path })).status, 200);
  repository.commit(gated("fourth"));
  assert.equal((await post({ repository: repository.path })).status, 200);
  await untilAsked("fourth");
  gate.open();
  await untilStatuses(project, ["6 ready current", "5 superseded", "4 ready", "3 superseded", "2 ready", "1 ready"]);
  assert.equal(await page(project), "fourth");

  gate.shut();
  repository.commit(gated("fifth"));
  assert.equal((await post({ repository: repository.path })).status, 200);
  await untilAsked("fifth");
  const deleted = await cluster.ask("DELETE", `/api/projects/${project}`);
  assert.deepEqual([deleted.status, deleted.json], [200, { message: "project deleted." }]);
  gate.open();
  for (const path of [`/invoke/${project}/page`, `/api/projects/${project}`, `/logs/${project}/page`]) {
    const { status, json } = await cluster.ask("GET", path);
    assert.deepEqual([status, json], [404, { message: "project not found!" }], path);
  }
  assert.deepEqual(await cluster.deploy(repository), { project, number: 1 });
  assert.equal(await page(project), "fifth");
});

function publish(message: unknown): Promise<Answered> {
  return cluster.ask("POST", "/v1/groups/deletions/publish", { message });
}

test("deleted while its functions run: they end, and nothing of it runs or is kept", async () => {
  const repository = cluster.makeRepository(
    {
      ".eserveless.yaml": `runtime: node
functions:
- { name: page, type: http }
- { name: tick, type: cron, schedule: "* * * * * *", missed: all }
- { name: told, type: event, topic: deletions }
`,
      "functions.js": `
        exports.page = async (req, res) => { ${gate.ask("/running-page")}; res.end("page"); };
        exports.tick = async () => { ${gate.ask("/running-tick")}; };
        exports.told = async () => { ${gate.ask("/running-told")}; };`,
    },
    "running",
  );
  gate.shut();
  const { project } = await cluster.deploy(repository);
  const broken = cluster.ask("GET", `/invoke/${project}/page`);
  const isMember = async () => (await cluster.ask("GET", "/v1/groups/deletions")).text.includes(`${project}~told`);
  await until(isMember, { ...SOON, what: "it listens to its topic" });
  await publish({ n: 1 });
  await Promise.all(["running-page", "running-tick", "running-told"].map(untilAsked));
  assert.equal((await cluster.ask("DELETE", `/api/projects/${project}`)).status, 200);
  assert.ok([404, 502, 503].includes((await broken).status));
  const asked = gate.seen.length;
  gate.open();
  await publish({ n: 2 });
  const isGone = async () =>
    !(await cluster.ask("GET", "/v1/processes?module=functions.function")).text.includes(project);
  await until(isGone, { ...SOON, what: "its processes are gone" });
  const { json } = await cluster.service.ask("GET", "/v1/functions");
  assert.ok(!JSON.stringify(json["pools"]).includes(project), JSON.stringify(json["pools"]));
  assert.equal(gate.seen.length, asked);
  await cluster.deploy(repository);
  await until(() => gate.seen.includes("/running-tick", asked), { ...SOON, what: "its schedule begins anew" });
  assert.equal(await page(project), "page");
  await cluster.ask("DELETE", `/api/projects/${project}`);
});

test("a repository that cannot be deployed is told why, and changes nothing", async () => {
  const good = httpProject({ page: "(req, res) => res.end('good')" });
  const repository = cluster.makeRepository(good, "mended");
  const { project } = await cluster.deploy(repository);
  const refused: [code: string, files: Files, words: RegExp][] = [
    ["manifest_invalid", { ".eserveless.yaml": "runtime: node\nfunctions:\n- name: a\n  type: queue\n" }, /line 4/],
    ["manifest_invalid", { ".eserveless.yaml": "- [\n" }, /line/],
    ["repository_too_large", { ...good, "large.bin": "x".repeat(1_200_000) }, /more than/],
  ];
  for (const [code, files, words] of refused) {
    repository.commit(files);
    const { status, json } = await post({ repository: repository.path });
    assert.partialDeepStrictEqual([status, json], [500, { error: "Server Error", code }]);
    assert.match(String(json["message"]), words);
  }
  repository.git("rm", "-q", "large.bin");
  repository.link("secret", "/etc/passwd");
  repository.commit(good);
  assert.equal((await post({ repository: repository.path })).json["code"], "symlink_refused");
  repository.git("rm", "-q", "secret");
  repository.commit({ ".gitmodules": '[submodule "part"]\n\tpath = part\n\turl = https://git.example/a/b\n' });
  repository.git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},part`);
  repository.git("commit", "-q", "-m", "a submodule");
  const submodule = await post({ repository: repository.path });
  assert.deepEqual([submodule.status, submodule.json["code"]], [500, "submodule_refused"]);
  assert.match(String(submodule.json["message"]), /part/);
  repository.git("rm", "-q", "--cached", "part", ".gitmodules");
  const failing: [code: string, files: Files][] = [
    ["not_exported", { ...good, "functions.js": "exports.other = () => {};" }],
    ["lock_file_broken", { ...good, "package.json": `{"dependencies": {"a": "1.0.0"}}`, "package-lock.json": "{" }],
  ];
  for (const [code, files] of failing) {
    repository.commit(files);
    const { deployment } = await cluster.untilBuilt(await post({ repository: repository.path }));
    assert.partialDeepStrictEqual(deployment, { status: "failed", isCurrent: false, reason: { code } });
  }
  assert.equal(await page(project), "good");
  assert.deepEqual(await statusesOf(project), ["3 failed", "2 failed", "1 ready current"]);
  const { json } = await cluster.ask("GET", `/api/projects/${project}`);
  assert.partialDeepStrictEqual(json, { status: "ready", current: 1 });
});

test("a body that is no deployment is refused in the seed's words", async () => {
  const { path } = cluster.makeRepository(httpProject({ page: "() => {}" }), "refs");
  const unparsed = { error: "Bad Request", message: "unable to parse request data" };
  const bodies = ["", "{", "[]", "7", "null", '"text"', [path], { repository: 7 }, { repository: { a: 1 } }];
  for (const body of [...bodies, { repository: path, ref: 7 }, { repository: path, ref: null }, "\xff{}"]) {
    const { status, json } = await post(body);
    assert.deepEqual([status, json], [400, unparsed], JSON.stringify(body));
  }
  for (const repository of [
    "",
    " ",
    "user",
    "-oProxyCommand=x",
    "https://u:p@github.com/a/b",
    "https://git.example/a/b",
  ]) {
    const { status, json } = await post({ repository });
    const { detail, ...words } = json;
    assert.deepEqual(
      [status, words, typeof detail],
      [400, { error: "Bad Request", message: "repository field is not a valid github repository url" }, "string"],
      repository,
    );
  }
  const refs: [ref: string, status: number, code: RegExp][] = [
    ["nowhere", 500, /ref_not_found/],
    ["f".repeat(40), 500, /ref_not_found/],
    ["--upload-pack=x", 400, /ref field/],
    ["", 400, /ref field/],
  ];
  for (const [ref, status, words] of refs) {
    const answer = await post({ repository: path, ref });
    assert.deepEqual([answer.status, words.test(answer.text)], [status, true], `${ref}: ${answer.text}`);
  }
  const large = await post({ repository: "x".repeat(2_000_000) });
  assert.deepEqual([large.status, large.json["code"]], [413, "body_too_large"]);
  const missing = await post({ repository: "/nowhere/at/all" });
  assert.partialDeepStrictEqual([missing.status, missing.json], [500, { code: "repository_not_found" }]);
  const empty = new GitRepository("empty");
  cluster.service.repositories.push(empty);
  assert.equal((await post({ repository: empty.path })).json["code"], "repository_empty");
  assert.equal((await cluster.ask("GET", "/api/projects/alice-refs")).status, 404);
});

test("a project's name is its repository's until it is deleted", async () => {
  const [mine, other] = ["mine", "other"].map((text) =>
    cluster.makeRepository(httpProject({ page: `(req, res) => res.end('${text}')` }), "taken"),
  ) as [GitRepository, GitRepository];
  const { project } = await cluster.deploy(mine);
  const { status, json } = await post({ repository: other.path });
  assert.deepEqual([status, json["error"]], [409, "Conflict"]);
  assert.match(String(json["message"]), /alice-taken is the project of .*delete it first/);
  assert.equal(await page(project), "mine");
  await cluster.ask("DELETE", `/api/projects/${project}`);
  await cluster.deploy(other);
  assert.equal(await page(project), "other");
});
