/** Workers, the functions service, an api and Redis killed while projects are deployed, switched and invoked. */

import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import type { TestNode } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { countBoots } from "../tools/worker-killer.ts";
import { type Answered, FunctionsCluster } from "./functions-cluster.ts";
import { Gate } from "./gate.ts";
import type { Files, GitRepository } from "./git-repository.ts";

const SOON = { withinMs: 60_000 };
/** The seed's deployments end in one of these. */
interface Deployment {
  number: number;
  commit: string;
  status: string;
}

const gate = new Gate();
const cluster = new FunctionsCluster({ apis: 2 });
let worker: TestNode;

before(async () => {
  await Promise.all([gate.start(), cluster.start()]);
  [worker] = cluster.cluster.workers as [TestNode];
});

after(async () => {
  gate.open();
  await cluster.stop();
  await gate.stop();
  assertNoChildLeft();
});

/** An http function that answers with a text, and a cron function; its build and both functions ask the gate. */
function gated(name: string, text = name): Files {
  return {
    ".eserveless.yaml": `runtime: node
functions:
- { name: page, type: http }
- { name: tick, type: cron, schedule: "@yearly" }
`,
    "functions.mjs": `
      ${gate.ask(`/${name}/load`)};
      export async function page(req, res) { ${gate.ask(`/${name}/page`)}; res.end("${text}"); }
      export async function tick() { ${gate.ask(`/${name}/tick`)}; }`,
  };
}

/** Begins a deployment whose build is held at the gate. */
async function beginHeld(repository: GitRepository, name: string): Promise<Answered> {
  const asked = gate.count(`/${name}/load`);
  gate.shut();
  const answer = await cluster.ask("POST", "/api/projects", { repository: repository.path });
  assert.equal(answer.status, 200, answer.text);
  await untilAsked(`/${name}/load`, asked);
  return answer;
}

async function untilAsked(path: string, before: number): Promise<void> {
  await until(() => gate.count(path) > before, { ...SOON, everyMs: 5, what: `${path} is asked for` });
}

async function restartWorker(): Promise<void> {
  const boots = countBoots(worker);
  await worker.start();
  await until(() => countBoots(worker) > boots, { ...SOON, what: "the worker is back" });
}

async function readDeployments(project: string): Promise<Deployment[]> {
  const { json } = await cluster.ask("GET", `/api/projects/${project}`);
  return json["deployments"] as Deployment[];
}

async function untilAnswers(project: string, text: string): Promise<void> {
  const answers = async () => (await cluster.ask("GET", `/invoke/${project}/page`)).text === text;
  await until(answers, { ...SOON, what: `${project} answers ${text}` });
}

test("a worker killed during the build, and again at the switch: the deployment serves, and is one", async () => {
  const repository = cluster.makeRepository(gated("build"), "build");
  const answer = await beginHeld(repository, "build");
  await worker.kill();
  assert.equal((await cluster.ask("GET", "/invoke/alice-build/page")).status, 503);
  gate.open();
  const [commit = ""] = repository.git("rev-parse", "HEAD").split("\n");
  const isBuilt = async () =>
    (await cluster.service.ask("GET", `/v1/builds/alice-build@${commit}`)).json["status"] === "ready";
  await until(isBuilt, { ...SOON, everyMs: 5, what: "it is built" });
  const boots = countBoots(worker);
  await worker.start();
  await until(() => countBoots(worker) > boots, { ...SOON, everyMs: 1, what: "it is back" });
  await worker.kill();
  await restartWorker();
  const { project, deployment } = await cluster.untilBuilt(answer);
  assert.equal(deployment["status"], "ready");
  await untilAnswers(project, "build");
  assert.equal((await readDeployments(project)).length, 1);
  const unchanged = await cluster.ask("POST", "/api/projects", { repository: repository.path });
  assert.deepEqual(unchanged.json, { message: "repository has not changed since last deployment" });
});

test("the functions service killed during a build, and when it was built: it goes on by itself", async () => {
  const { service } = cluster;
  const repository = cluster.makeRepository(gated("service"), "service");
  const answer = await beginHeld(repository, "service");
  await service.child.kill();
  const away = await cluster.ask("GET", "/invoke/alice-service/page");
  assert.deepEqual(
    [away.status, away.json["code"], away.headers.get("retry-after")],
    [503, "functions_unavailable", "1"],
  );
  assert.equal((await cluster.ask("POST", "/api/projects", { repository: repository.path })).status, 503);
  gate.open();
  await service.restart();
  assert.equal((await cluster.untilBuilt(answer)).deployment["status"], "ready");
  await untilAnswers("alice-service", "service");

  repository.commit(gated("service", "second"));
  const second = await beginHeld(repository, "service");
  await worker.kill();
  gate.open();
  const commit = repository.git("rev-parse", "HEAD");
  const isBuilt = async () =>
    (await service.ask("GET", `/v1/builds/alice-service@${commit}`)).json["status"] === "ready";
  await until(isBuilt, { ...SOON, what: "it is built" });
  await service.child.kill();
  await restartWorker();
  await service.restart();
  assert.equal((await cluster.untilBuilt(second)).deployment["status"], "ready");
  await untilAnswers("alice-service", "second");
});

test("the functions service killed during an invocation and a run: 502 or 503, died, and the next of each", async () => {
  const { service } = cluster;
  const { project } = await cluster.deploy(cluster.makeRepository(gated("during"), "during"));
  // A sandbox that starts asks the gate too.
  await untilAnswers(project, "during");
  assert.equal((await cluster.ask("POST", `/ticks/${project}/tick`)).status, 202);
  await until(async () => (await cluster.readFunction(project, "tick")).counts["completed"] === 1, SOON);
  const [pages, ticks] = [gate.count("/during/page"), gate.count("/during/tick")];
  gate.shut();
  const asked = cluster.ask("GET", `/invoke/${project}/page`);
  const ticked = await cluster.ask("POST", `/ticks/${project}/tick`);
  assert.equal(ticked.status, 202, ticked.text);
  await Promise.all([untilAsked("/during/page", pages), untilAsked("/during/tick", ticks)]);
  await service.child.kill();
  const { status } = await asked;
  assert.ok(status === 502 || status === 503, String(status));
  gate.open();
  await service.restart();
  await untilAnswers(project, "during");
  const next = await cluster.ask("POST", `/ticks/${project}/tick`);
  const readRuns = async () => {
    const { runs } = await cluster.readFunction(project, "tick");
    return [ticked, next].map(({ json: { run } }) => runs.find(({ id }) => id === run)?.status).join();
  };
  await until(async () => (await readRuns()) === "died,completed", { ...SOON, what: "one has died, the next has run" });
});

test("an api killed while it deploys: asked again, there is one deployment of the commit", async () => {
  const repository = cluster.makeRepository(gated("api"), "api");
  const [first, second] = cluster.cluster.apis as [TestNode, TestNode];
  const body = JSON.stringify({ repository: repository.path });
  const headers = { "content-type": "application/json" };
  // No worker takes the project's turn meanwhile, so there is no answer yet.
  await worker.pause();
  const broken = assert.rejects(fetch(`${second.url}/api/projects`, { method: "POST", body, headers }));
  await cluster.service.child.untilRecord(
    ({ msg, project }) => msg === "checkout.made" && project === "alice-api",
    SOON,
  );
  await second.kill();
  await broken;
  worker.resume();
  const again = await fetch(`${first.url}/api/projects`, { method: "POST", body, headers });
  const { message } = (await again.json()) as { message: string };
  assert.match(message, /^(Yeah! project created\.|repository has not changed since last deployment)$/);
  await untilAnswers("alice-api", "api");
  assert.equal((await readDeployments("alice-api")).length, 1);
});

test("Redis killed: what is deployed answers, and when it is back everything goes on", async () => {
  const { project } = await cluster.deploy(cluster.makeRepository(gated("redis"), "redis"));
  const { redis } = cluster.cluster;
  await redis.kill();
  for (let i = 0; i < 5; i++) assert.equal((await cluster.ask("GET", `/invoke/${project}/page`)).text, "redis");
  const unknown = await cluster.ask("GET", "/invoke/nobody-nothing/page");
  assert.deepEqual([unknown.status, unknown.json["code"]], [503, "redis_unavailable"]);
  await redis.restart();
  await cluster.cluster.untilReady();
  const { status } = await cluster.ask("GET", `/invoke/${project}/page`);
  assert.equal(status, 200);
  const ticked = await cluster.ask("POST", `/ticks/${project}/tick`);
  assert.equal(ticked.status, 202, ticked.text);
  await untilAsked("/redis/tick", 0);
});

test("the functions service loses its disk: what serves is fetched and built again", async () => {
  const { service } = cluster;
  const { project } = await cluster.deploy(cluster.makeRepository(gated("disk"), "disk"));
  await service.child.kill();
  for (const name of readdirSync(service.dataDir)) rmSync(join(service.dataDir, name), { recursive: true });
  await service.restart();
  const { status, headers, json } = await cluster.ask("GET", `/invoke/${project}/page`);
  assert.deepEqual([status, headers.get("retry-after"), json], [503, "1", { message: "project is being built" }]);
  // It looks once a minute; here it is told to.
  await cluster.cluster.client.info(`functions.project/${project}`, "functions:round");
  await untilAnswers(project, "disk");
  assert.deepEqual(
    (await readDeployments(project)).map(({ number }) => number),
    [1],
  );
});
