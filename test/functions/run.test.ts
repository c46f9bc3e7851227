/** What a function gets and gives, through the service, in its sandbox. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { type Deployed, FunctionsService, type RunOptions, TOKEN } from "./functions-service.ts";
import { httpProject, SEED } from "./git-repository.ts";

const service = new FunctionsService();
before(() => service.start());
after(async () => {
  await service.stop();
  assertNoChildLeft();
});

test("ES-8: the seed's project runs as its document says", async () => {
  const seed = await service.deploy(SEED);
  const answer = await service.run(seed, "API", { headers: { "x-forwarded-for": "192.0.2.7" } });
  assert.deepEqual([answer.status, answer.body], [200, "Hello, World!"]);
  assert.equal(answer.headers["x-function-cold-start"], "1");
  await service.untilLogged(seed.project, "API", /^Client ip address is 192\.0\.2\.7\.$/);
  assert.equal((await service.run(seed, "API")).headers["x-function-cold-start"], "0");
});

test("ES-9: a cron function gets its meta as ESERVELESS_ variables, and nothing else of the environment", async () => {
  const seed = await service.deploy(SEED);
  const report = await service.runOnce(seed, "Ticker");
  assert.deepEqual([report.status, report.coldStart], ["completed", true]);
  const lines = await service.untilLogged(seed.project, "Ticker", /^Ticker ticked at \d+$/);
  assert.match(lines.join(""), /\{ ESERVELESS_PATH: '\/usr\/bin', ESERVELESS_NAME: 'prod' \}/);
});

test("method, path, query, headers and body reach the function, and its own come back", async () => {
  const mirror = await service.deploy(
    httpProject({
      mirror: `async (req, res) => {
        const chunks = [];
        for await (const chunk of req) chunks.push(chunk);
        res.setHeader("set-cookie", ["a=1", "b=2"]);
        res.writeHead(418, "Short", { "content-type": "application/json", connection: "x-hop", "x-hop": "1", "x-end": "2" });
        res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, body: Buffer.concat(chunks).toString() }));
      }`,
    }),
  );
  const answer = await service.run(mirror, "mirror", {
    method: "PATCH",
    path: "/a%2Fb//c/d?x=1&x=2",
    headers: { "x-own": "yes", authorization: "Bearer of-the-caller", connection: "close, x-gone", "x-gone": "1" },
    body: "Grüße",
  });
  assert.equal(answer.status, 418);
  assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
  assert.deepEqual([answer.headers["x-hop"], answer.headers["x-end"]], [undefined, "2"]);
  const { method, url, headers, body } = JSON.parse(answer.body);
  assert.deepEqual([method, url, body], ["PATCH", "/a%2Fb//c/d?x=1&x=2", "Grüße"]);
  assert.deepEqual([headers["x-own"], headers.authorization], ["yes", "Bearer of-the-caller"]);
  assert.deepEqual([headers["x-functions-token"], headers["x-gone"]], [undefined, undefined]);
  assert.equal(JSON.parse((await service.run(mirror, "mirror", { path: "?q" })).body).url, "/?q");
});

test("bodies stream both ways: what is sent comes back before the request has ended", async () => {
  const echo = await service.deploy(httpProject({ echo: "(req, res) => { res.writeHead(200); req.pipe(res); }" }));
  await service.checkStreams(echo, "echo");
  const large = Buffer.alloc(20_000_000, "x");
  assert.equal((await service.run(echo, "echo", { method: "PUT", body: large })).body.length, large.length);
});

test("a request that the function does not read, and one with no body, leave its sandbox as good as before", async () => {
  const plain = await service.deploy(httpProject({ plain: "(req, res) => res.end(String(process.pid))" }));
  const isIdle = async () => (await service.pool(plain, "plain"))?.idle === 1;
  const runWarm = async (options: RunOptions) => {
    await until(isIdle, { withinMs: 10_000, what: "its sandbox is idle again" });
    const answer = await service.run(plain, "plain", options);
    assert.deepEqual([answer.status, answer.headers["x-function-cold-start"]], [200, "0"], options.method);
  };
  await service.run(plain, "plain");
  for (const bytes of [30_000_000, 10_000]) await runWarm({ method: "POST", body: Buffer.alloc(bytes) });
  for (const method of ["HEAD", "DELETE", "OPTIONS"]) await runWarm({ method });
});

test("a function's errors are its own: 500, and the sandbox goes on", async () => {
  const thrower = await service.deploy(
    httpProject({
      now: "() => { throw new Error('at once'); }",
      later: "async (req, res) => { await null; throw new TypeError('later on'); }",
    }),
  );
  for (const [name, words] of [
    ["now", /Error: at once/],
    ["later", /TypeError: later on/],
  ] as const) {
    const answer = await service.run(thrower, name);
    assert.equal(answer.status, 500);
    assert.equal(answer.headers["x-function-problem"], "function_threw");
    assert.match(JSON.parse(answer.body).detail, words);
    assert.equal((await service.run(thrower, name)).status, 500);
    await service.untilLogged(thrower.project, name, words);
  }
  const { json } = await service.ask("GET", "/v1/functions");
  const figures = (json["functions"] as { function: string; project: string }[]).find(
    (one) => one.project === thrower.project && one.function === "now",
  );
  assert.partialDeepStrictEqual(figures, { invocations: 2, failures: 2, coldStarts: 1 });
});

test("TypeScript, ES modules and environment variables work", async () => {
  const files = {
    ".eserveless.yaml": `runtime: node
functions:
- name: typed
  type: http
  env: { GREETING: hello }
  meta: { log-level: debug }
- name: listener
  type: event
  topic: orders
`,
    "functions.ts": `import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "./lib/text.ts";
export function typed(_req: IncomingMessage, res: ServerResponse): void { res.end(text(process.env)); }
export async function listener(event: { n: number }, envs: object): Promise<void> {
  console.log("got", event.n, Object.keys(envs).length);
  if (event.n > 1) throw new RangeError("too many");
}
`,
    "lib/text.ts":
      'export const text = (env: NodeJS.ProcessEnv): string => [env.GREETING, env.ESERVELESS_LOG_LEVEL].join(" ");',
    "package.json": `{"type": "module"}`,
  };
  const typed = await service.deploy(files);
  assert.equal((await service.run(typed, "typed")).body, "hello debug");
  assert.equal((await service.runOnce(typed, "listener", { n: 1 })).status, "completed");
  await service.untilLogged(typed.project, "listener", /^got 1 0$/);
  const failed = await service.runOnce(typed, "listener", { n: 2 });
  assert.equal(failed.status, "failed");
  assert.match(failed.error ?? "", /RangeError: too many/);
});

test("requests at once get a sandbox each, up to the function's concurrency, and then wait", async () => {
  const slow =
    "async (req, res) => { await new Promise((done) => setTimeout(done, 300)); res.end(String(process.pid)); }";
  const pids = httpProject({ slow: slow.replace("process.pid", "process.hrtime.bigint()") }, "  concurrency: 2\n");
  const deployed = await service.deploy(pids);
  const answers = await Promise.all(Array.from({ length: 6 }, () => service.run(deployed, "slow")));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal((await service.pool(deployed, "slow"))?.sandboxes, 2);
});

test("a project with many sandboxes is deployed anew: what they run does not count against its build", async () => {
  const make = (text: string) =>
    httpProject({ many: `(req, res) => setTimeout(() => res.end("${text}"), 300)` }, "  concurrency: 24\n");
  const repository = service.makeRepository(make("first"));
  const first = await service.deploy(repository);
  await until(
    async () => {
      const answers = await Promise.all(Array.from({ length: 24 }, () => service.run(first, "many")));
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
      return (await service.pool(first, "many"))?.sandboxes === 24;
    },
    { withinMs: 60_000, what: "it has a sandbox for each request" },
  );
  repository.commit(make("second"));
  assert.equal((await service.run(await service.deploy(repository), "many")).body, "second");
});

test("refuses an upgrade with 501, unknown functions with 404, and whoever has no token with 401", async () => {
  const seed = await service.deploy(SEED);
  const url = `${service.url}/v1/run/${seed.project}/${seed.commit}/API`;
  const upgrade = request(url, {
    headers: { "x-functions-token": TOKEN, connection: "Upgrade", upgrade: "websocket" },
    agent: false,
  }).end();
  const [refused] = await once(upgrade, "response");
  assert.equal(refused.statusCode, 501);
  refused.resume();
  const codeOf = async (deployed: Deployed, name: string) => {
    const { status, body } = await service.run(deployed, name);
    return [status, JSON.parse(body).code];
  };
  assert.deepEqual(await codeOf(seed, "nobody"), [404, "unknown_function"]);
  assert.deepEqual(await codeOf(seed, "Ticker"), [404, "unknown_function"]);
  assert.deepEqual(await codeOf({ ...seed, commit: "0".repeat(40) }, "API"), [404, "unknown_build"]);
  assert.deepEqual(await codeOf({ ...seed, project: "nobody-nothing" }, "API"), [404, "unknown_build"]);
  assert.equal((await fetch(url)).status, 401);
  assert.equal((await fetch(url, { headers: { authorization: "Bearer something-else-altogether" } })).status, 401);
  assert.equal((await fetch(`${service.url}/health`)).status, 200);
});
