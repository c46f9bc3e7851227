/** Runs of cron and event functions: each once, however often it is asked for, and over a kill. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../../tools/child.ts";
import { until } from "../../tools/until.ts";
import { type Deployed, FunctionsService } from "../functions-service.ts";
import { Gate } from "../gate.ts";
import { httpProject } from "../git-repository.ts";

const service = new FunctionsService({ FUNCTIONS_WAITING: "1" });
const FILES = {
  ".eserveless.yaml": `runtime: node
functions:
- { name: tick, type: cron, schedule: "@hourly" }
- { name: waits, type: cron, schedule: "@hourly" }
- { name: told, type: event, topic: orders }
- { name: page, type: http }
- { name: quits, type: cron, schedule: "@hourly", env: { FLAG: "1" } }
`,
  "functions.js": `
    exports.tick = () => console.log("ticked");
    exports.waits = () => { console.log("waiting"); return new Promise(() => {}); };
    exports.told = (event) => { console.log("told", JSON.stringify(event)); if (event === "bad") throw new Error("no"); };
    exports.page = (req, res) => res.end("page");
    exports.quits = () => {};
    if (process.env.FLAG) process.exit(9);`,
};
let deployed: Deployed;

before(async () => {
  await service.start();
  deployed = await service.deploy(FILES);
});
after(async () => {
  await service.stop();
  assertNoChildLeft();
});

function put(id: string, name: string, more: object = {}) {
  return service.ask("PUT", `/v1/runs/${id}`, { ...deployed, function: name, ...more });
}

async function get(id: string, waitMs = 0) {
  return (await service.ask("GET", `/v1/runs/${id}?waitMs=${waitMs}`)).json;
}

async function countLines(name: string, match: RegExp): Promise<number> {
  const lines = await service.untilLogged(deployed.project, name, match);
  return lines.filter((line) => match.test(line)).length;
}

test("a run that is asked for often, and at once, is one run", async () => {
  const asked = await Promise.all(Array.from({ length: 5 }, () => put("tick:1", "tick", { waitMs: 10_000 })));
  for (const { status, json } of asked) {
    assert.equal(status, 200);
    assert.partialDeepStrictEqual(json, { id: "tick:1", status: "completed", coldStart: true });
  }
  assert.deepEqual((await put("tick:1", "tick")).json, asked[0]?.json);
  assert.deepEqual(await get("tick:1"), asked[0]?.json);
  assert.equal(await countLines("tick", /^ticked$/), 1);
  assert.partialDeepStrictEqual((await put("tick:2", "tick", { waitMs: 10_000 })).json, { coldStart: false });
});

test("without waiting it is running, and can be waited for", async () => {
  const begun = await put("told~1", "told", { event: { n: [1] } });
  assert.deepEqual(begun.json, { id: "told~1", status: "running" });
  assert.equal((await get("told~1", 10_000))["status"], "completed");
  assert.equal(await countLines("told", /^told {"n":\[1\]}$/), 1);
  const failed = await put("told~2", "told", { event: "bad", waitMs: 10_000 });
  assert.equal(failed.json["status"], "failed");
  assert.match(String(failed.json["error"]), /Error: no/);
});

test("one that cannot be started is not_started, and says why; it stays so", async () => {
  const { json } = await put("quits.1", "quits", { waitMs: 10_000 });
  assert.equal(json["status"], "not_started");
  assert.match(String(json["error"]), /exit code 9/);
  assert.deepEqual(await get("quits.1"), json);
});

test("what is refused has not begun, and can be asked for again under its id", async () => {
  const codeOf = async (id: string, name: string, more?: object) => {
    const { status, json } = await put(id, name, more);
    return [status, json["code"]];
  };
  assert.deepEqual(await codeOf("again", "nobody"), [404, "unknown_function"]);
  assert.deepEqual(await codeOf("again", "page"), [404, "unknown_function"]);
  assert.deepEqual(await codeOf("again", "tick", { commit: "0".repeat(40) }), [404, "unknown_build"]);
  assert.deepEqual((await service.ask("GET", "/v1/runs/again")).json["code"], "unknown_run");
  assert.deepEqual((await put("again", "tick", { waitMs: 10_000 })).json["status"], "completed");
  for (const id of ["a%2Fb", "..%2F..%2Fetc", "a%00", "%20", "x".repeat(201)]) {
    assert.deepEqual(await codeOf(id, "tick"), [400, "invalid_request"], id);
  }
  for (const waitMs of [-1, 10_001, "1", 0.5]) {
    assert.deepEqual(await codeOf("wait", "tick", { waitMs }), [400, "invalid_request"], String(waitMs));
  }
  for (const id of ["..a", "x".repeat(200), "-rf", "~"]) {
    assert.equal((await put(id, "tick", { waitMs: 10_000 })).json["status"], "completed", id);
  }
});

test("killed: the run under way has died, one that ended is as it was, one that waited has not begun", async () => {
  await put("waits:1", "waits");
  await service.untilLogged(deployed.project, "waits", /^waiting$/);
  for (const id of ["waits:2", "waits:3"]) assert.equal((await put(id, "waits")).json["status"], "running");
  assert.partialDeepStrictEqual(await put("waits:4", "waits"), { status: 429, json: { code: "queue_full" } });
  assert.deepEqual((await service.ask("GET", "/v1/runs/waits:4")).json["code"], "unknown_run");
  const ended = await get("tick:1");
  await service.child.kill();
  await service.restart();
  const died = { id: "waits:1", status: "died", error: "the functions service ended during the run" };
  assert.deepEqual(await get("waits:1"), died);
  assert.deepEqual((await put("waits:1", "waits", { waitMs: 100 })).json, died);
  assert.deepEqual((await put("tick:1", "tick")).json, ended);
  assert.equal((await get("waits:2"))["code"], "unknown_run");
  assert.equal((await put("waits:2", "waits", { waitMs: 100 })).json["status"], "running");
});

test("told to leave, the service lets a run come to its end, and does not call what waits", async () => {
  const gate = new Gate();
  const leaving = new FunctionsService();
  await Promise.all([gate.start(), leaving.start()]);
  gate.shut();
  const { project, commit } = await leaving.deploy({
    ".eserveless.yaml": `runtime: node\nfunctions:\n- { name: slow, type: cron, schedule: "@hourly" }\n`,
    "functions.js": `exports.slow = async () => { ${gate.ask("/slow")}; };`,
  });
  const body = { project, commit, function: "slow" };
  await leaving.ask("PUT", "/v1/runs/one", body);
  await until(() => gate.count("/slow") > 0, { withinMs: 20_000, what: "the first has begun" });
  await leaving.ask("PUT", "/v1/runs/two", body);
  leaving.child.signal("SIGTERM");
  const isClosed = () =>
    leaving.ask("GET", "/health").then(
      () => false,
      () => true,
    );
  await until(isClosed, { withinMs: 20_000, what: "nobody is let in any more" });
  gate.open();
  assert.deepEqual(await leaving.child.untilExit(), { code: 0, signal: null });
  await leaving.restart();
  assert.equal((await leaving.ask("GET", "/v1/runs/one")).json["status"], "completed");
  assert.equal((await leaving.ask("GET", "/v1/runs/two")).json["code"], "unknown_run");
  await leaving.stop();
  await gate.stop();
});

test("what is current runs under that name, and the switch to a build that is not there is refused", async () => {
  const repository = service.makeRepository(httpProject({ hello: "(req, res) => res.end('one ' + req.url)" }), "now");
  const one = await service.deploy(repository);
  const current = { ...one, commit: "current" };
  const codeOf = async (asked: Deployed) => JSON.parse((await service.run(asked, "hello")).body).code;
  assert.equal(await codeOf(current), "no_current");
  assert.equal(await codeOf({ ...current, project: "nobody-nothing" }), "unknown_project");
  const switchTo = async (commit: string) => {
    const { status, json } = await service.ask("PUT", `/v1/projects/${one.project}/current`, { commit });
    return json["code"] ?? status;
  };
  assert.equal(await switchTo(one.commit), 200);
  assert.equal((await service.run(current, "hello", { path: "/a?b" })).body, "one /a?b");
  repository.commit(httpProject({ hello: "(req, res) => res.end('two')" }));
  const two = await service.deploy(repository);
  assert.equal((await service.run(current, "hello")).body, "one /");
  assert.equal(await switchTo("0".repeat(40)), "unknown_build");
  assert.equal((await service.run(current, "hello")).body, "one /");
  assert.equal(await switchTo(two.commit), 200);
  assert.equal((await service.run(current, "hello")).body, "two");
  await service.child.kill();
  await service.restart();
  assert.equal((await service.run(current, "hello")).body, "two");
});

test("figures say how long a function takes, and how many are busy, idle and waiting", async () => {
  const figuresOf = async (name: string) => {
    const { json } = await service.ask("GET", "/v1/functions");
    const isMeant = (one: { project: string; function: string }) =>
      one.project === deployed.project && one.function === name;
    return {
      figures: (json["functions"] as { project: string; function: string; meanMs?: number }[]).find(isMeant),
      pool: (json["pools"] as { project: string; function: string }[]).find(isMeant),
    };
  };
  await put("figures:1", "tick", { waitMs: 10_000 });
  const { figures, pool } = await figuresOf("tick");
  assert.partialDeepStrictEqual(figures, { invocations: 1, failures: 0 });
  assert.ok(figures?.meanMs !== undefined && figures.meanMs > 0);
  assert.partialDeepStrictEqual(pool, { sandboxes: 1, idle: 1, busy: 0, waiting: 0 });
  await put("figures:2", "waits");
  await put("figures:3", "waits");
  await until(async () => (await figuresOf("waits")).figures, { withinMs: 10_000, what: "the function has started" });
  assert.partialDeepStrictEqual((await figuresOf("waits")).pool, { sandboxes: 1, idle: 0, busy: 1 });
});
