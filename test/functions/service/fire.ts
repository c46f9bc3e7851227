/** Functions that mean harm, and those that cannot help it: contained, named, and the neighbour hears nothing of them. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isAlive } from "../../../local/src/os-process.ts";
import { assertNoChildLeft } from "../../tools/child.ts";
import { RedisServer } from "../../tools/redis-server.ts";
import { until } from "../../tools/until.ts";
import { type Answered, type Deployed, FunctionsService, TOKEN } from "../functions-service.ts";
import { Gate } from "../gate.ts";
import { httpProject } from "../git-repository.ts";
import { listDescendants } from "../os-processes.ts";

const gate = new Gate();
const service = new FunctionsService();
let neighbour: Deployed;

before(async () => {
  await Promise.all([gate.start(), service.start()]);
  neighbour = await service.deploy(httpProject({ hello: "(req, res) => res.end('hello ' + process.pid)" }));
  await service.run(neighbour, "hello");
});
after(async () => {
  gate.open();
  await service.stop();
  await gate.stop();
  assertNoChildLeft();
});

/** The neighbour answers, from the sandbox that it had before. */
async function assertNeighbourWell(): Promise<void> {
  const answer = await service.run(neighbour, "hello");
  assert.deepEqual([answer.status, answer.headers["x-function-cold-start"]], [200, "0"]);
}

function problemOf({ status, body }: Answered): [number, string] {
  return [status, JSON.parse(body).code];
}

const SHORT = "  timeout: 2s\n";

test("one that loops without end is ended at its timeout: 504, and the next request is answered", async () => {
  const source = "(req, res) => { if (req.url === '/loop') for (;;); res.end('fine'); }";
  const loop = await service.deploy(httpProject({ loop: source }, SHORT));
  const startedAt = performance.now();
  assert.deepEqual(problemOf(await service.run(loop, "loop", { path: "/loop" })), [504, "function_timeout"]);
  assert.ok(performance.now() - startedAt < 10_000);
  await assertNeighbourWell();
  assert.equal((await service.run(loop, "loop")).body, "fine");
  await service.untilLogged(loop.project, "loop", /the sandbox did not answer in time, and was ended/);
});

test("one that never answers: 504", async () => {
  const silent = await service.deploy(httpProject({ silent: "() => {}" }, "  timeout: 300ms\n"));
  assert.deepEqual(problemOf(await service.run(silent, "silent")), [504, "function_timeout"]);
});

test("one that answers half and then nothing, and one that answers half and dies, break off", async () => {
  const half = await service.deploy(
    httpProject(
      {
        stops: "(req, res) => { res.writeHead(200, { 'content-length': 1000 }); res.write('half'); }",
        dies: "(req, res) => { res.writeHead(200); res.write('half', () => setTimeout(() => process.exit(3), 50)); }",
      },
      SHORT,
    ),
  );
  for (const name of ["stops", "dies"]) {
    const sent = request(`${service.url}/v1/run/${half.project}/${half.commit}/${name}`, {
      headers: { "x-functions-token": TOKEN },
      agent: false,
    }).end();
    const [answer] = await once(sent, "response");
    assert.equal(String((await once(answer, "data"))[0]), "half");
    const [error] = await once(answer.resume(), "error");
    assert.equal(error.code, "ECONNRESET", name);
  }
  await service.untilLogged(half.project, "dies", /ended by itself with exit code 3/);
  await assertNeighbourWell();
});

test("one that dies with a request in hand: 502 with its exit code; what is not HTTP: 502 too", async () => {
  const dying = await service.deploy(
    httpProject({
      exits: "() => process.exit(7)",
      throws: "(req, res) => { setTimeout(() => { throw new Error('in a timer'); }); }",
      rubbish: "(req, res) => { res.socket.write('this is no HTTP\\r\\n\\r\\n'); }",
    }),
  );
  const exited = await service.run(dying, "exits");
  assert.deepEqual(problemOf(exited), [502, "function_died"]);
  assert.match(exited.body, /exit code 7/);
  assert.deepEqual(problemOf(await service.run(dying, "throws")), [502, "function_died"]);
  await service.untilLogged(dying.project, "throws", /Error: in a timer/);
  assert.deepEqual(problemOf(await service.run(dying, "rubbish")), [502, "bad_answer"]);
});

test("a crash costs the request in flight and no other", async () => {
  const source = `async (req, res) => {
    await new Promise((done) => setTimeout(done, 200));
    if (req.url === "/die") process.exit(1);
    res.end("alive");
  }`;
  const crashing = await service.deploy(httpProject({ crashing: source }, "  concurrency: 2\n"));
  const paths = ["/", "/die", "/", "/", "/die", "/", "/"];
  const answers = await Promise.all(paths.map((path) => service.run(crashing, "crashing", { path })));
  assert.deepEqual(
    answers.map(({ status }) => status),
    paths.map((path) => (path === "/die" ? 502 : 200)),
  );
});

test("one that exits at its start after it was built: 502 with its exit code, at once", async () => {
  const source = "if (process.env.FLAG) process.exit(0);\nexports.quits = () => {};";
  const quitting = await service.deploy({
    ".eserveless.yaml": "runtime: node\nfunctions:\n- name: quits\n  type: http\n  env: { FLAG: on }\n",
    "functions.js": source,
  });
  const startedAt = performance.now();
  const answer = await service.run(quitting, "quits");
  assert.deepEqual(problemOf(answer), [502, "function_not_started"]);
  assert.match(answer.body, /exit code 0/);
  assert.ok(performance.now() - startedAt < 5_000);
  await service.untilLogged(quitting.project, "quits", /^the function cannot be started: .*exit code 0$/);
});

test("one that fills its memory, on the heap or beside it, is ended alone", async () => {
  const hungry = await service.deploy(
    httpProject(
      {
        heap: "() => { const all = []; for (;;) all.push(new Array(1000).fill({})); }",
        buffers:
          "async (req, res) => { const all = []; for (;;) { all.push(Buffer.alloc(4 << 20, 1)); await new Promise(setImmediate); } }",
      },
      "  memory: 48\n  timeout: 20s\n",
    ),
  );
  for (const name of ["heap", "buffers"]) {
    const answer = await service.run(hungry, name);
    assert.equal(answer.status >= 500 && answer.status < 504, true, `${name}: ${answer.status} ${answer.body}`);
  }
  await assertNeighbourWell();
});

const DENIED = `const denied = (act) => { try { return String(act()); } catch (error) { return error.code; } };`;

test("one that starts processes or threads, loads native code, or looks for a debugger is denied", async () => {
  const source = `${DENIED}
    exports.forks = (req, res) => res.end(JSON.stringify([
      denied(() => require("child_process").execSync("id")),
      denied(() => require("child_process").fork("/code/functions.js")),
      denied(() => require("cluster").fork()),
      denied(() => new (require("worker_threads").Worker)("/code/functions.js")),
      denied(() => process.dlopen({ exports: {} }, "/usr/lib/x86_64-linux-gnu/libc.so.6")),
      denied(() => process.kill(1000000, 0)),
      denied(() => require("inspector").open()),
      process.getuid() === 0,
    ]));`;
  const forks = await service.deploy({ ...httpProject({ forks: "" }), "functions.js": source });
  const answer = JSON.parse((await service.run(forks, "forks")).body);
  const denied = "ERR_ACCESS_DENIED";
  assert.deepEqual(answer.slice(0, 4), [denied, denied, denied, denied]);
  assert.match(answer[4], /ERR_DLOPEN_DISABLED|ERR_ACCESS_DENIED/);
  assert.equal(answer[5], "ESRCH");
  assert.notEqual(answer[6], "undefined");
  assert.equal(answer[7], false);
});

test("one that writes outside its temporary folder, or reads what is not its own, is denied", async () => {
  const mine = await service.deploy(httpProject({ secret: "(req, res) => res.end('secret')" }));
  const tree = join(service.dataDir, "projects", mine.project, "builds", mine.commit, "tree");
  const source = `${DENIED}
    const fs = require("fs");
    exports.prowls = (req, res) => res.end(JSON.stringify([
      ...["/code/functions.js", "/code/new", "/runtime/new", "/usr/new", "/new", ${JSON.stringify(join(tree, "new"))}]
        .map((file) => denied(() => fs.writeFileSync(file, "x"))),
      ...["/etc/passwd", "/proc/1/environ", "/proc/self/environ", "/usr", ${JSON.stringify(join(tree, "functions.js"))}, ${JSON.stringify(service.dataDir)}]
        .map((file) => denied(() => fs.statSync(file).isDirectory() ? fs.readdirSync(file) : fs.readFileSync(file))),
      denied(() => fs.symlinkSync("/etc/passwd", process.env.TMPDIR + "/link")),
      denied(() => { fs.writeFileSync(process.env.TMPDIR + "/mine", "mine"); return fs.readFileSync(process.env.TMPDIR + "/mine"); }),
    ]));`;
  const prowls = await service.deploy({ ...httpProject({ prowls: "" }), "functions.js": source });
  const answer: string[] = JSON.parse((await service.run(prowls, "prowls")).body);
  // The folder of the tests lies in one that a sandbox has of its own, and empty.
  for (const code of answer.slice(0, -1)) assert.match(code, /^(ERR_ACCESS_DENIED|ENOENT)$/);
  assert.equal(answer.at(-1), "mine");
  assert.equal(existsSync(join(tree, "new")), false);
});

test("one that fills its temporary folder gets an error, and the folder goes with its sandbox", async () => {
  const source = `(req, res) => {
    const fs = require("fs");
    let written = 0;
    try { for (;;) { fs.writeFileSync(process.env.TMPDIR + "/" + written, Buffer.alloc(8 << 20)); written++; } }
    catch (error) { res.end(error.code + " " + written); }
  }`;
  const filling = await service.deploy(httpProject({ filling: source }, "  memory: 256\n  timeout: 20s\n"));
  assert.match((await service.run(filling, "filling")).body, /^(ENOSPC|EFBIG) [78]$/);
  assert.equal((await service.ask("DELETE", `/v1/projects/${filling.project}`)).status, 204);
});

test("one that opens Redis finds a door that is shut, and nothing in its environment that opens it", async (t) => {
  const redis = new RedisServer({ password: "known-to-the-cluster-alone" });
  await redis.start();
  t.after(() => redis.stop());
  const source = `(req, res) => {
    const socket = require("net").connect(${redis.port}, "127.0.0.1", () => socket.write("PING\\r\\n"));
    socket.on("error", (error) => res.end(error.code));
    socket.once("data", (data) => { socket.destroy(); res.end(String(data) + Object.keys(process.env).join()); });
  }`;
  const opening = await service.deploy(httpProject({ opening: source }));
  const { body } = await service.run(opening, "opening");
  assert.match(body, /^(-NOAUTH|ECONNREFUSED|ENETUNREACH)/);
  assert.doesNotMatch(body, /REDIS|TOKEN/);
});

test("without namespaces files are as shut, and an end of the service ends a function that loops", async () => {
  const plain = new FunctionsService({ FUNCTIONS_NAMESPACES: "off" });
  await plain.start();
  try {
    const other = await plain.deploy(httpProject({ secret: "(req, res) => res.end('secret')" }));
    const tree = join(plain.dataDir, "projects", other.project, "builds", other.commit, "tree");
    const source = `${DENIED}
      const fs = require("fs");
      exports.prowls = (req, res) => {
        if (req.url === "/loop") { console.log("looping"); for (;;); }
        res.end(JSON.stringify([
          denied(() => fs.writeFileSync(__dirname + "/new", "x")),
          denied(() => fs.readFileSync(${JSON.stringify(join(tree, "functions.js"))})),
          denied(() => require("child_process").execSync("id")),
          denied(() => { fs.writeFileSync(process.env.TMPDIR + "/mine", "mine"); return fs.readFileSync(process.env.TMPDIR + "/mine"); }),
        ]));
      }`;
    const prowls = await plain.deploy({ ...httpProject({ prowls: "" }), "functions.js": source });
    const denied = "ERR_ACCESS_DENIED";
    assert.deepEqual(JSON.parse((await plain.run(prowls, "prowls")).body), [denied, denied, denied, "mine"]);
    const broken = assert.rejects(plain.run(prowls, "prowls", { path: "/loop" }));
    await plain.untilLogged(prowls.project, "prowls", /looping/);
    const pids = listDescendants(plain.child.pid);
    await plain.child.kill();
    await broken;
    await until(() => pids.every((pid) => !isAlive(pid)), { withinMs: 5_000, what: "the loop ends with the service" });
  } finally {
    await plain.stop();
  }
});

test("FUNCTIONS_NETWORK=off leaves a function no network at all", async (t) => {
  const offline = new FunctionsService({ FUNCTIONS_NETWORK: "off" });
  await offline.start();
  t.after(() => offline.stop());
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const source = `(req, res) => { require("net").connect(${port}, "127.0.0.1").on("connect", () => res.end("connected")).on("error", (error) => res.end(error.code)); }`;
  const deployed = await offline.deploy(httpProject({ calls: source }));
  assert.match((await offline.run(deployed, "calls")).body, /^(ECONNREFUSED|ENETUNREACH)$/);
});

test("one that prints without end is read slowly, cut, and told so; the service does not grow", async () => {
  const source = `(req, res) => {
    console.log("x".repeat(100_000));
    const line = "y".repeat(999);
    for (let i = 0; i < 1_000_000; i++) console.log(line);
    res.end("printed");
  }`;
  const printing = await service.deploy(httpProject({ prints: source }, "  timeout: 3s\n"));
  const before = residentMb(service.child.pid);
  const [answer] = await Promise.all([service.run(printing, "prints"), assertNeighbourWell()]);
  assert.deepEqual(problemOf(answer), [504, "function_timeout"]);
  const lines = await service.untilLogged(printing.project, "prints", /bytes of stdout were left out/);
  assert.equal(Math.max(...lines.map((line) => line.length)) <= 8_193, true);
  assert.equal(residentMb(service.child.pid) - before < 150, true);
});

test("more requests than may wait are refused with 429", async () => {
  const source = `async (req, res) => { ${gate.ask("/slow")}; res.end(); }`;
  const small = new FunctionsService({ FUNCTIONS_WAITING: "2" });
  await small.start();
  try {
    const slow = await small.deploy(httpProject({ slow: source }, "  concurrency: 1\n"));
    await small.run(slow, "slow");
    gate.shut();
    let answered = 0;
    const asked = Array.from({ length: 8 }, () => small.run(slow, "slow").finally(() => answered++));
    await until(() => answered === 4, { withinMs: 20_000, what: "four are answered while one is under way" });
    gate.open();
    const answers = await Promise.all(asked);
    const refused = answers.filter(({ status }) => status === 429);
    assert.equal(answers.filter(({ status }) => status === 200).length, 4);
    assert.deepEqual(new Set(refused.map((answer) => problemOf(answer)[1])), new Set(["queue_full"]));
    assert.equal(refused[0]?.headers["retry-after"], "1");
  } finally {
    await small.stop();
  }
});

test("where sandboxes are few, the one that has been idle longest makes room", async () => {
  const small = new FunctionsService({ FUNCTIONS_SANDBOXES: "2" });
  await small.start();
  try {
    const names = ["a", "b", "c", "d"];
    const source = "(req, res) => res.end('here')";
    const many = await small.deploy(httpProject(Object.fromEntries(names.map((name) => [name, source]))));
    for (const name of [...names, ...names]) assert.equal((await small.run(many, name)).body, "here");
    const all = await Promise.all(names.map((name) => small.run(many, name)));
    assert.deepEqual(
      all.map(({ status }) => status),
      [200, 200, 200, 200],
    );
    const { sandboxes } = (await small.ask("GET", "/v1/functions")).json as {
      sandboxes: { warm: number; busy: number };
    };
    assert.equal(sandboxes.warm + sandboxes.busy <= 2, true);
  } finally {
    await small.stop();
  }
});

test("a caller that leaves does not disturb: a whole request is run to its end, half a one ends its sandbox", async () => {
  const source = `async (req, res) => {
    for await (const _ of req);
    ${gate.ask("/left")};
    console.log("done with", req.url);
    res.end("done");
  }`;
  const left = await service.deploy(httpProject({ left: source }));
  const url = `${service.url}/v1/run/${left.project}/${left.commit}/left`;
  const headers = { "x-functions-token": TOKEN };
  await service.run(left, "left");
  gate.shut();
  const whole = request(`${url}/whole`, { headers, agent: false })
    .on("error", () => {})
    .end();
  await until(() => gate.count("/left") === 2, { withinMs: 20_000, what: "the function has it" });
  whole.destroy();
  gate.open();
  await service.untilLogged(left.project, "left", /done with \/whole/);
  const half = request(`${url}/half`, { method: "POST", headers: { ...headers, "content-length": 100 }, agent: false });
  half.on("error", () => {}).write("half");
  await until(async () => (await busySandboxes()) === 1, { withinMs: 20_000 });
  half.destroy();
  assert.equal((await service.run(left, "left")).body, "done");
});

test("a cron function that hangs, dies or throws is a report, not an error of the service", async () => {
  const timeouts = { hangs: "500ms", dies: "8s", throws: "8s", quits: "500ms" };
  const names = Object.keys(timeouts);
  const manifest = Object.entries(timeouts)
    .map(([name, timeout]) => `- name: ${name}\n  type: cron\n  schedule: "@hourly"\n  timeout: ${timeout}\n`)
    .join("");
  const cron = await service.deploy({
    ".eserveless.yaml": `runtime: node\nfunctions:\n${manifest}`,
    "functions.js": `exports.hangs = () => new Promise(() => {});
      exports.dies = () => process.exit(4);
      exports.throws = async () => { throw new Error("no") };
      exports.quits = () => { process.kill(process.pid, "SIGKILL"); for (;;); };`,
  });
  const reports = await Promise.all(names.map((name) => service.runOnce(cron, name)));
  assert.deepEqual(
    reports.slice(0, 3).map(({ status }) => status),
    ["timeout", "died", "failed"],
  );
  assert.match(reports[1]?.error ?? "", /exit code 4/);
  assert.match(reports[2]?.error ?? "", /Error: no/);
  assert.notEqual(reports[3]?.status, "completed");
});

test("nothing of an ended sandbox is left on the disk", async () => {
  await until(() => readdirSync(join(service.dataDir, "work")).length <= sandboxProcesses(), { withinMs: 10_000 });
});

async function busySandboxes(): Promise<number> {
  const { sandboxes } = (await service.ask("GET", "/v1/functions")).json as { sandboxes: { busy: number } };
  return sandboxes.busy;
}

/** Children of the service: each is a sandbox. */
function sandboxProcesses(): number {
  const { pid } = service.child;
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).length;
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024;
}
