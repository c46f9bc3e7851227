/** The service killed while it builds and runs, stopped, and asked for much at once. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isAlive } from "../../../local/src/os-process.ts";
import { assertNoChildLeft } from "../../tools/child.ts";
import { until } from "../../tools/until.ts";
import { type Deployed, FunctionsService } from "../functions-service.ts";
import { Gate } from "../gate.ts";
import { httpProject } from "../git-repository.ts";
import { listDescendants } from "../os-processes.ts";

const service = new FunctionsService();
before(() => service.start());
after(async () => {
  await service.stop();
  assertNoChildLeft();
});

const HELLO = httpProject({ hello: "(req, res) => res.end('hello')" });

test("20 projects deployed at once are all built, and run", async () => {
  const deployed = await Promise.all(Array.from({ length: 20 }, () => service.deploy(HELLO)));
  assert.equal(new Set(deployed.map(({ project }) => project)).size, 20);
  for (const one of deployed.slice(0, 4)) assert.equal((await service.run(one, "hello")).body, "hello");
  assert.deepEqual(new Set((await asksAtOnce(deployed[0] as Deployed)).map(({ status }) => status)), new Set([200]));
});

async function asksAtOnce(deployed: Deployed) {
  return Promise.all(Array.from({ length: 40 }, () => service.run(deployed, "hello")));
}

test("killed with a request in hand: its sandboxes are gone, and what was built runs when it is back", async () => {
  const source = "(req, res) => { if (req.url === '/wait') return console.log('waiting'); res.end('back'); }";
  const running = await service.deploy(httpProject({ waits: source }));
  const broken = assert.rejects(service.run(running, "waits", { path: "/wait" }));
  await service.untilLogged(running.project, "waits", /waiting/);
  const pids = listDescendants(service.child.pid);
  assert.ok(pids.length > 0);
  await service.child.kill();
  await broken;
  await until(() => pids.every((pid) => !isAlive(pid)), {
    withinMs: 5_000,
    what: "the sandboxes end with the service",
  });
  await service.restart();
  assert.deepEqual(readdirSync(join(service.dataDir, "work")), []);
  assert.equal((await service.run(running, "waits")).body, "back");
});

test("killed during a build: nothing of it counts, and it can be asked for again", async () => {
  const files = httpProject({ slow: "(req, res) => res.end('built')" });
  const loading = "const until = Date.now() + 3000; while (Date.now() < until);";
  const repository = service.makeRepository(
    { ...files, "functions.js": `${loading}\n${files["functions.js"]}` },
    "slow-build",
  );
  const { json } = await service.ask("POST", "/v1/checkouts", { repository: repository.path });
  const wanted = json as unknown as Deployed;
  assert.equal((await service.ask("POST", "/v1/builds", wanted)).status, 202);
  const id = `${wanted.project}@${wanted.commit}`;
  await until(() => listDescendants(service.child.pid).length > 0, {
    withinMs: 10_000,
    what: "it loads the functions",
  });
  const pids = listDescendants(service.child.pid);
  await service.child.kill();
  await until(() => pids.every((pid) => !isAlive(pid)), { withinMs: 5_000, what: "the build ends with the service" });
  await service.restart();
  assert.equal((await service.ask("GET", `/v1/builds/${id}`)).json["code"], "unknown_build");
  assert.deepEqual(readdirSync(join(service.dataDir, "work")), []);
  assert.equal((await service.build(wanted))["status"], "ready");
  assert.equal((await service.run(wanted, "slow")).body, "built");
});

test("killed again and again during deploys: each ends whole or not at all", async (t) => {
  const gate = new Gate();
  await gate.start();
  t.after(() => gate.stop());
  gate.shut();
  const files = {
    ".eserveless.yaml": HELLO[".eserveless.yaml"] ?? "",
    "functions.mjs": `${gate.ask("/load")};\nexport const hello = (req, res) => res.end("hello");`,
  };
  const repositories = Array.from({ length: 4 }, (_, i) => service.makeRepository(files, `again-${i}`));
  for (let round = 0; round < 3; round++) {
    const deploys = repositories.map((repository) => service.deploy(repository).catch(() => undefined));
    await until(() => readdirSync(join(service.dataDir, "work")).length > round, { withinMs: 10_000, everyMs: 1 });
    await service.child.kill();
    await service.restart();
    // One that waited for its build asks what became of it.
    await Promise.all(deploys);
    for (const [i, repository] of repositories.entries()) repository.commit({ "round.txt": `${round} ${i}` });
  }
  gate.open();
  for (const repository of repositories) {
    const deployed = await service.deploy(repository);
    assert.equal((await service.run(deployed, "hello")).body, "hello");
  }
});

test("told to leave it answers what is under way, refuses what comes, and leaves nothing running", async () => {
  const slow =
    "async (req, res) => { console.log('begun'); await new Promise((done) => setTimeout(done, 500)); res.end('whole'); }";
  const leaving = await service.deploy(httpProject({ slow }));
  const answer = service.run(leaving, "slow");
  await service.untilLogged(leaving.project, "slow", /begun/);
  const pids = listDescendants(service.child.pid);
  service.child.signal("SIGTERM");
  assert.equal((await answer).body, "whole");
  assert.deepEqual(await service.child.untilExit(), { code: 0, signal: null });
  assert.deepEqual(pids.filter(isAlive), []);
  await service.restart();
});
