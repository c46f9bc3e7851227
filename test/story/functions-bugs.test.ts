/** What was wrong with eserveless, as its table of bugs has it (ES 5.10), and what it wished for (ES 5.9): each is a test. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runIn } from "@genserverless/cli/run.test-support.ts";
import { type Answered, FunctionsCluster } from "../functions/functions-cluster.ts";
import { Gate } from "../functions/gate.ts";
import { type Files, httpProject } from "../functions/git-repository.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { until } from "../tools/until.ts";

const SECRET = "what-the-git-host-knows";
const cluster = new FunctionsCluster({
  sessionTtlMs: 10_000,
  service: { FUNCTIONS_GO: "off" },
  modulesDir: "functions/modules:test/functions/modules",
  env: { FUNCTIONS_WEBHOOK_SECRET: SECRET },
});
const gate = new Gate();
/** Of most tests here: a project for each would be a build for each. */
let kit: string;
before(async () => {
  await gate.start();
  await cluster.start();
  kit = (await cluster.deploy(buildKit())).project;
});
after(async () => {
  await cluster.stop();
  await gate.stop();
  assertNoChildLeft();
});

const SOON = { withinMs: 30_000 };
const get = (path: string) => cluster.ask("GET", path);
const post = (path: string, body?: unknown) => cluster.ask("POST", path, body);
const deploy = ({ path }: { path: string }) => post("/api/projects", { repository: path });
const hello = (word: string) => httpProject({ hello: `(req, res) => res.end("${word}")` });

/** Loading its functions asks the gate. */
function gated(path: string, word: string): Files {
  const { ".eserveless.yaml": manifest = "" } = hello(word);
  const source = `${gate.ask(path)};\nexport const hello = (req, res) => res.end("${word}");\n`;
  return { ".eserveless.yaml": manifest, "functions.mjs": source };
}

interface Deployment {
  number: number;
  status: string;
  isCurrent: boolean;
}

/** Newest first. */
async function statusesOf(project: string): Promise<string[]> {
  const { deployments } = (await get(`/api/projects/${project}`)).json as { deployments: Deployment[] };
  return deployments.map(({ status, isCurrent }) => (isCurrent ? `${status}, current` : status));
}

function buildKit(): Files {
  return {
    ".eserveless.yaml": `runtime: node
functions:
- {name: greet, type: http}
- {name: Checkout-2, type: http}
- {name: _private, type: http}
- {name: web, type: http, meta: {path: /usr/bin, name: prod}}
- {name: nightly, type: cron, schedule: "@yearly", meta: {retries: 3, on: true}}
- {name: listener, type: event, topic: orders, meta: {shop: north}}
- {name: mirror, type: http}
- {name: read, type: http}
- {name: prints, type: http}
`,
    "functions.js": `
for (const name of ["greet", "Checkout-2", "_private"]) exports[name] = (req, res) => res.end(name);
exports.web = (req, res) => res.end([process.env.ESERVELESS_PATH, process.env.ESERVELESS_NAME].join());
exports.nightly = (envs) => console.log(JSON.stringify(envs));
exports.listener = async (event, envs) => console.log(JSON.stringify([event, envs]));
exports.mirror = (req, res) => void req.pipe(res.writeHead(201, { "x-url": req.url, "x-method": req.method }));
exports.read = (req, res) => {
  const paths = ["./a/same.js", "./b/same.js", "./.github/words.js", "./my.git.files/x.js"];
  res.end(paths.map((path) => require(path)).join());
};
exports.prints = async () => { console.log("out"); console.error("err"); ${gate.ask("/printed")}; process.exit(3); };
`,
    "a/same.js": "module.exports = 'a';",
    "b/same.js": "module.exports = 'b';",
    ".github/words.js": "module.exports = 'words';",
    "my.git.files/x.js": "module.exports = 'x';",
    ".gitignore": "node_modules\n",
  };
}

test("ES 5.10.1: functions have any names", async () => {
  for (const name of ["greet", "Checkout-2", "_private"]) {
    assert.equal((await get(`/invoke/${kit}/${name}`)).text, name);
  }
});

test("ES 5.10.2: meta reaches functions of every kind; ES 5.9: events do, from clients and from processes", async () => {
  assert.equal((await get(`/invoke/${kit}/web`)).text, "/usr/bin,prod");
  await post(`/ticks/${kit}/nightly`);
  await cluster.untilLogged(kit, "nightly", /^\{"ESERVELESS_RETRIES":"3","ESERVELESS_ON":"true"\}$/);
  await until(async () => ((await get("/v1/groups/orders")).json["members"] as string[]).length === 1, SOON);
  const published = await post("/v1/groups/orders/publish", { message: { order: 7 } });
  assert.equal(published.json["sent"], 1);
  await cluster.untilLogged(kit, "listener", /^\[\{"order":7\},\{"ESERVELESS_SHOP":"north"\}\]$/);
  await post("/v1/processes/till/north/cast", { message: { paid: 7 } });
  await cluster.untilLogged(kit, "listener", /^\[\{"paid":7\},/);
  const { json } = await until(async () => {
    const answer = await get(`/api/projects/${kit}/functions/listener`);
    return (answer.json["counts"] as { completed?: number }).completed === 2 && answer;
  }, SOON);
  assert.partialDeepStrictEqual(json, { type: "event", topic: "orders", counts: { due: 2, completed: 2 } });
});

test("ES 5.10.3: new and changed cron functions are due at once, removed ones stop; nobody restarts anything", async () => {
  const crons = (schedules: Record<string, string>): Files => {
    const names = Object.keys(schedules);
    const lines = names.map((name) => `- {name: ${name}, type: cron, schedule: "${schedules[name]}"}\n`);
    const sources = names.map((name) => `exports.${name} = async () => { ${gate.ask(`/${name}`)} };\n`);
    return { ".eserveless.yaml": `runtime: node\nfunctions:\n${lines.join("")}`, "functions.js": sources.join("") };
  };
  const sees = (path: string, more: number) => {
    const before = gate.count(path);
    return until(() => gate.count(path) >= before + more, { ...SOON, what: `${path} ticks ${more} times` });
  };
  const repository = cluster.makeRepository(crons({ stays: "@every 1s", goes: "* * * * * *", changes: "@yearly" }));
  const { project } = await cluster.deploy(repository);
  await Promise.all([sees("/stays", 2), sees("/goes", 2)]);
  assert.equal(gate.count("/changes"), 0);

  repository.commit(crons({ stays: "@every 1s", changes: "*/1 * * * * *", appears: "* * * * * *" }));
  await cluster.deploy(repository);
  await Promise.all([sees("/changes", 2), sees("/appears", 2)]);
  assert.equal((await get(`/v1/processes/functions.function/${project}~goes`)).json["code"], "no_process");
  const isOver = async () => {
    const pool = await cluster.service.pool({ project, commit: "" }, "goes");
    return !pool || (pool.idle === pool.sandboxes && pool.waiting === 0);
  };
  await until(isOver, { ...SOON, what: "its last run is over" });
  const gone = gate.count("/goes");
  await sees("/stays", 3);
  assert.equal(gate.count("/goes"), gone);

  await cluster.ask("DELETE", `/api/projects/${project}`);
  const areGone = async () => !(await get("/v1/processes?module=functions.function")).text.includes(project);
  await until(areGone, { ...SOON, what: "its processes are gone" });
});

test("ES 5.10.4: the endpoints that are printed are those that can be called", async () => {
  const repository = cluster.makeRepository(hello("called"), "printed");
  const { stdout } = await runIn({ env: { GENSERVERLESS_URL: cluster.url } }, "deploy", repository.path);
  const [url = ""] = /http:\S+$/m.exec(stdout) ?? [];
  assert.equal(url, `${cluster.url}/invoke/alice-printed/hello`);
  assert.equal(await (await fetch(url)).text(), "called");
  const { functions } = (await get("/api/projects/alice-printed")).json as { functions: { url: string }[] };
  assert.deepEqual(
    functions.map(({ url: path }) => cluster.url + path),
    [url],
  );
});

test("ES 5.10.5: an invocation is no redirect, and whoever calls it learns no other address", async () => {
  const answer = await cluster.ask("PUT", `/invoke/${kit}/mirror/a/b?c=d`, "a body");
  const { headers } = answer;
  assert.deepEqual([answer.status, answer.text, headers.get("location")], [201, "a body", null]);
  assert.deepEqual([headers.get("x-url"), headers.get("x-method")], ["/a/b?c=d", "PUT"]);
});

test("ES 5.10.6: a failed build is built again from the same commit, and the one before serves meanwhile", async () => {
  const repository = cluster.makeRepository(hello("the first"), "again");
  const { project } = await cluster.deploy(repository);
  const invoke = async () => (await get(`/invoke/${project}/hello`)).text;
  repository.write("functions.js", "");
  repository.git("rm", "-q", "-f", "functions.js");
  repository.commit(gated("/again", "the second"));
  gate.open(500);
  const failed = await cluster.untilBuilt(await deploy(repository));
  assert.partialDeepStrictEqual(failed.deployment, {
    status: "failed",
    isCurrent: false,
    reason: { code: "not_loaded" },
  });
  assert.equal(await invoke(), "the first");
  gate.shut();
  const begun = await deploy(repository);
  assert.equal(begun.json["message"], "Yeah! project updated.");
  await until(() => gate.count("/again") === 2, SOON);
  assert.equal(await invoke(), "the first");
  gate.open();
  await cluster.untilBuilt(begun);
  assert.equal(await invoke(), "the second");
  assert.deepEqual(await statusesOf(project), ["ready, current", "failed", "ready"]);
});

test("ES 5.10.6: before its first build has ended a project says so, and does not answer with nothing", async () => {
  const repository = cluster.makeRepository(gated("/first", "built"), "building");
  gate.shut();
  const begun = await deploy(repository);
  await until(() => gate.count("/first") === 1, SOON);
  const early = await get("/invoke/alice-building/hello");
  assert.deepEqual([early.status, early.json], [503, { message: "project is being built" }]);
  assert.equal(early.headers.get("retry-after"), "1");
  assert.equal((await get("/api/projects/alice-building")).json["status"], "building");
  assert.match((await deploy(repository)).json["message"] as string, /has not changed/);
  repository.commit(hello("later"));
  repository.git("rm", "-q", "functions.mjs");
  repository.commit({});
  const next = await deploy(repository);
  assert.equal((await cluster.untilBuilt(begun)).deployment["status"], "superseded");
  assert.equal((await cluster.untilBuilt(next)).deployment["status"], "ready");
  gate.open();
  assert.equal((await get("/invoke/alice-building/hello")).text, "later");
});

test("ES 5.10.7: folders keep their places, and names with .git in them stay", async () => {
  assert.equal((await get(`/invoke/${kit}/read`)).text, "a,b,words,x");
});

test("ES 5.10.8: a Go project is refused by name where there is no toolchain, and does not fail as something else", async () => {
  const repository = cluster.makeRepository({
    ".eserveless.yaml": "runtime: golang\nfunctions:\n- {name: API, type: http}\n",
    "functions.go": 'package functions\nimport "net/http"\nfunc API(w http.ResponseWriter, r *http.Request) {}\n',
  });
  const { project, deployment } = await cluster.untilBuilt(await deploy(repository));
  assert.partialDeepStrictEqual(deployment, { status: "failed", reason: { code: "no_toolchain" } });
  const { status, json } = await get(`/invoke/${project}/API`);
  assert.deepEqual([status, json], [503, { message: "project has no deployment whose build succeeded" }]);
});

test("ES 5.10.9: nothing piles up on the disk: not clones, not builds that nobody can go back to, not projects", async () => {
  const repository = cluster.makeRepository(hello("0"), "many");
  const { project } = await cluster.deploy(repository);
  const folder = join(cluster.service.dataDir, "projects", project);
  const list = (kind: string) => readdirSync(join(folder, kind)).sort();
  /** Sandboxes that are warm have their folders there too. */
  const listWork = () => readdirSync(join(cluster.service.dataDir, "work"));
  const first = repository.git("rev-parse", "HEAD");
  assert.deepEqual([list("builds"), list("checkouts")], [[first], []]);
  const halfDone = listWork();
  for (let i = 0; i < 3; i++) assert.match((await deploy(repository)).text, /has not changed/);
  assert.deepEqual([list("builds"), list("checkouts")], [[first], []]);
  assert.deepEqual(
    listWork().filter((name) => !halfDone.includes(name)),
    [],
  );
  const later = [1, 2].map((word) => repository.commit(hello(String(word))));
  // Two that are ready: what is rolled back needs no build.
  repository.git("reset", "-q", "--hard", later[0] ?? "");
  await cluster.deploy(repository);
  repository.git("reset", "-q", "--hard", later[1] ?? "");
  await cluster.deploy(repository);
  for (let number = 4; number <= 22; number++) {
    const back: Answered = await post(`/api/projects/${project}/rollback`, { to: number - 2 });
    assert.equal(back.json["deployment"], number);
    await cluster.untilBuilt(back);
  }
  assert.equal((await statusesOf(project)).length, 20);
  assert.deepEqual([list("builds"), list("checkouts")], [later.toSorted(), []]);
  await cluster.ask("DELETE", `/api/projects/${project}`);
  assert.equal(readdirSync(join(folder, "..")).includes(project), false);
  assert.deepEqual(
    listWork().filter((name) => !halfDone.includes(name)),
    [],
  );
});

test("ES 5.10.10: what a function prints is told while it runs, stdout and stderr apart, with how it ended", async () => {
  gate.shut();
  const invoked = get(`/invoke/${kit}/prints`);
  const streams: string[] = [];
  for (const text of [/^out$/, /^err$/]) streams.push((await cluster.untilLogged(kit, "prints", text)).stream);
  assert.deepEqual(streams, ["stdout", "stderr"]);
  gate.open();
  const { status, json } = await invoked;
  assert.deepEqual([status, json["code"]], [502, "function_died"]);
  assert.equal((await cluster.untilLogged(kit, "prints", /exit code 3/)).stream, "service");
});

test("ES 5.9: a git host's push deploys what was pushed, where it is signed", async () => {
  const repository = cluster.makeRepository(hello("before"), "pushed");
  const { project } = await cluster.deploy(repository);
  repository.commit(hello("after the push"));
  const push = (fields: object = {}, secret = SECRET, signed = true) => {
    const event = {
      ref: "refs/heads/main",
      repository: { clone_url: repository.path, default_branch: "main" },
      ...fields,
    };
    const body = JSON.stringify(event);
    const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
    const headers = {
      "x-github-event": "push",
      "x-github-delivery": "one",
      ...(signed && { "x-hub-signature-256": signature }),
    };
    return cluster.ask("POST", "/api/webhooks", body, headers);
  };
  for (const refused of [await push({}, "another-secret-of-16"), await push({}, SECRET, false)]) {
    assert.deepEqual([refused.status, refused.json["code"]], [401, "unauthorized"]);
  }
  for (const fields of [{ ref: "refs/heads/other" }, { deleted: true }]) {
    const other = await push(fields);
    assert.deepEqual([other.status, other.json], [202, { projects: [] }]);
  }
  assert.equal((await get(`/invoke/${project}/hello`)).text, "before");
  const { status, json } = await push();
  assert.deepEqual([status, json], [202, { projects: [project] }]);
  await until(async () => (await get(`/invoke/${project}/hello`)).text === "after the push", SOON);
  // Told once more, under the same id, it looks once more.
  repository.commit(hello("after another"));
  await push();
  await until(async () => (await get(`/invoke/${project}/hello`)).text === "after another", SOON);
  // It answers as soon as the service has it, a moment before its project shows it.
  await until(async () => (await statusesOf(project))[0] === "ready, current", SOON);
  assert.deepEqual(await statusesOf(project), ["ready, current", "ready", "ready"]);
});
