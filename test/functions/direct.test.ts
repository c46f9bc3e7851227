/** Invocations that go straight to a sandbox which an api has for itself: that they do, and that nobody can tell but by the clock. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { PoolFigures } from "@genserverless/shared/functions/functions-client.ts";
import { until } from "../tools/until.ts";
import { FunctionsCluster } from "./functions-cluster.ts";
import { httpProject } from "./git-repository.ts";

const functions = new FunctionsCluster({ apis: 2 });
before(() => functions.start());
after(() => functions.stop());

const FUNCTIONS = {
  pid: `(req, res) => res.end(globalThis.me ??= String(Math.random()))`,
  echo: `async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    res.setHeader("x-seen", JSON.stringify([req.method, req.url, req.headers["x-mine"], req.headers["x-functions-token"]]));
    res.end(Buffer.concat(chunks));
  }`,
  trouble: `(req, res) => {
    if (req.url === "/throw") throw new Error("as asked");
    if (req.url === "/die") process.exit(7);
    if (req.url === "/half") { res.write("half"); setTimeout(() => process.exit(0), 50); return; }
    if (req.url === "/never") return;
    if (req.url === "/garbage") return req.socket.end("garbage\\r\\n\\r\\n");
    res.end(globalThis.me ??= String(Math.random()));
  }`,
};

const only = (name: keyof typeof FUNCTIONS, settings = "") => httpProject({ [name]: FUNCTIONS[name] }, settings);

function invoke(api: number, path: string, options: RequestInit = {}): Promise<Response> {
  return fetch(`${functions.cluster.apis[api]?.url}/invoke/${path}`, options);
}

/** Until an api answers while the functions service is stopped: it asks nobody else then. One at a time: the service is stopped by one only. */
async function untilDirect(api: number, path: string): Promise<void> {
  const { child } = functions.service;
  await until(
    async () => {
      for (let i = 0; i < 3; i++) await (await invoke(api, path)).arrayBuffer();
      await child.pause();
      try {
        return (await invoke(api, path, { signal: AbortSignal.timeout(300) })).ok;
      } catch {
        return false;
      } finally {
        child.resume();
      }
    },
    { withinMs: 20_000, everyMs: 100, what: `${path} is invoked directly` },
  );
}

/** How often a function was invoked, when that does not change any more. */
function untilAtRest(project: string, name: string): Promise<number> {
  let last = -1;
  const isAtRest = async () => {
    const { invocations = 0 } = await readFigures(project, name);
    const isSame = invocations === last;
    last = invocations;
    return isSame ? invocations : undefined;
  };
  return until(isAtRest, { withinMs: 20_000, everyMs: 1_000, what: "the figures are at rest" });
}

async function readFigures(project: string, name: string): Promise<Record<string, number>> {
  const { json } = await functions.ask("GET", `/api/projects/${project}/functions/${name}`);
  return json as Record<string, number>;
}

test("a function that is in use answers while the functions service stands still, and each of its invocations is counted", async () => {
  const { project } = await functions.deploy(only("echo"));
  await untilDirect(0, `${project}/echo`);
  const before = await untilAtRest(project, "echo");
  const answer = await invoke(0, `${project}/echo/a%20b?c=d`, {
    method: "POST",
    body: "body",
    headers: { "x-mine": "1" },
  });
  assert.equal(await answer.text(), "body");
  assert.deepEqual(JSON.parse(answer.headers.get("x-seen") ?? ""), ["POST", "/a%20b?c=d", "1", null]);
  assert.equal(answer.headers.get("x-function-cold-start"), "0");
  assert.match(answer.headers.get("x-served-by") ?? "", /^api@/);
  const large = Buffer.alloc(1_000_000, "x");
  assert.equal(
    (await (await invoke(0, `${project}/echo`, { method: "PUT", body: large })).arrayBuffer()).byteLength,
    1_000_000,
  );
  assert.equal(await untilAtRest(project, "echo"), before + 2);
});

test("a sandbox that one api has for itself is given to the other that needs it", async () => {
  const { project } = await functions.deploy(only("pid", "  concurrency: 1\n"));
  await untilDirect(0, `${project}/pid`);
  const first = await (await invoke(0, `${project}/pid`)).text();
  assert.equal(await (await invoke(1, `${project}/pid`)).text(), first);
  await untilDirect(1, `${project}/pid`);
  assert.equal(await (await invoke(0, `${project}/pid`)).text(), first);
});

test("what goes wrong in it is answered as through the service", async () => {
  const { project } = await functions.deploy(only("trouble", "  timeout: 2s\n"));
  const path = `${project}/trouble`;
  await untilDirect(0, path);
  const me = await (await invoke(0, path)).text();
  const thrown = await invoke(0, `${path}/throw`);
  assert.deepEqual([thrown.status, thrown.headers.get("x-function-problem")], [500, "function_threw"]);
  assert.match(((await thrown.json()) as { detail: string }).detail, /as asked/);
  assert.equal(await (await invoke(0, path)).text(), me, "its sandbox goes on");
  for (const [how, status, code, words] of [
    ["die", 502, "function_died", /exit code 7/],
    ["never", 504, "function_timeout", /longer than 2000 ms/],
    ["garbage", 502, "bad_answer", /not HTTP/],
  ] as const) {
    await untilDirect(0, path);
    const answer = await invoke(0, `${path}/${how}`);
    assert.deepEqual([answer.status, answer.headers.get("x-function-problem")], [status, code], how);
    assert.match(((await answer.json()) as { detail: string }).detail, words);
    assert.equal((await invoke(0, path)).status, 200, `the next after ${how}`);
  }
  await untilDirect(0, path);
  await assert.rejects(async () => (await invoke(0, `${path}/half`)).text());
  assert.equal((await invoke(0, path)).status, 200);
});

test("once a deployment is ready no request is answered by the one before, however much it is in use", async () => {
  const make = (n: number) => httpProject({ version: `(req, res) => res.end("${n}")` });
  const repository = functions.makeRepository(make(1));
  const { project } = await functions.deploy(repository);
  for (const api of [0, 1]) await untilDirect(api, `${project}/version`);
  for (let n = 2; n <= 4; n++) {
    repository.commit(make(n));
    let isOver = false;
    const load = [0, 1].map(async (api) => {
      while (!isOver) assert.equal((await invoke(api, `${project}/version`)).status, 200);
    });
    await functions.deploy(repository);
    const answers = await Promise.all(
      [0, 1, 0, 1].map(async (api) => (await invoke(api, `${project}/version`)).text()),
    );
    isOver = true;
    await Promise.all(load);
    assert.deepEqual(new Set(answers), new Set([String(n)]));
  }
});

test("what an api has of the deployment before is ended where it stands still, and does not say that it has stopped", async () => {
  const make = (n: number) => httpProject({ version: `(req, res) => res.end("version ${n}")` });
  const repository = functions.makeRepository(make(1));
  const { project } = await functions.deploy(repository);
  await untilDirect(1, `${project}/version`);
  const [, standing] = functions.cluster.apis;
  await standing?.pause();
  repository.commit(make(2));
  await functions.deploy(repository);
  const { json } = await functions.service.ask("GET", "/v1/functions");
  const asked = invoke(1, `${project}/version`);
  standing?.resume();
  const ofProject = (json["pools"] as PoolFigures[]).filter((pool) => pool.project === project);
  const busy = new Set(ofProject.map(({ sandboxes, idle }) => sandboxes - idle));
  assert.deepEqual(busy, new Set([0]), JSON.stringify(ofProject));
  assert.doesNotMatch(await (await asked).text(), /version 1/);
  const isNew = async () => (await (await invoke(1, `${project}/version`)).text()) === "version 2";
  await until(isNew, { withinMs: 20_000, what: "the api that stood still answers" });
});

test("the sandbox of an api that is killed is ended, and another api goes on", async () => {
  const { project } = await functions.deploy(only("pid", "  concurrency: 1\n"));
  const api = await functions.cluster.addApi();
  await functions.cluster.untilReady();
  const index = functions.cluster.apis.indexOf(api);
  await untilDirect(index, `${project}/pid`);
  const first = await (await invoke(index, `${project}/pid`)).text();
  await api.kill();
  const second = await (await invoke(0, `${project}/pid`)).text();
  assert.notEqual(second, first);
});
