import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { renderConfig } from "./render.ts";

/** Stands where an api node stands: healthy until told otherwise, and does with requests what `handle` says. */
interface Api {
  server: Server;
  port: number;
  isHealthy: boolean;
  requests: string[];
  handle: (req: IncomingMessage, res: ServerResponse) => void;
}

/** Shorter than the template's, and longer than a machine stands still now and then. */
const CLIENT_TIMEOUT_MS = 1_600;
const SERVER_TIMEOUT_MS = 3_500;
const STANDSTILL_MS = 3_000;
const SOON = { timeout: 20_000 };

let apis: [Api, Api];
let balancer: ChildProcess;
let folder: string;
let url: string;

async function startApi(name: string): Promise<Api> {
  const api: Api = {
    server: createServer((req, res) => {
      if (req.url === "/health") return res.writeHead(api.isHealthy ? 200 : 503).end();
      api.requests.push(`${req.method} ${req.url}`);
      return api.handle(req, res);
    }),
    port: 0,
    isHealthy: true,
    requests: [],
    handle: (_req, res) => res.end(name),
  };
  api.server.listen(0, "127.0.0.1");
  await once(api.server, "listening");
  api.port = (api.server.address() as AddressInfo).port;
  return api;
}

async function findPort(): Promise<number> {
  const probe = createTcpServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

function cut(req: IncomingMessage): void {
  req.socket.destroy();
}

async function ask(method: string, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url + path, { method, headers: { connection: "close" } });
  return { status: response.status, text: await response.text() };
}

before(async () => {
  apis = [await startApi("one"), await startApi("two")];
  folder = await mkdtemp(join(tmpdir(), "haproxy-"));
  const file = join(folder, "haproxy.cfg");
  const port = await findPort();
  const statsBind = `127.0.0.1:${await findPort()}`;
  const addresses = apis.map((api) => `127.0.0.1:${api.port}`);
  const config = renderConfig({ bind: `127.0.0.1:${port}`, statsBind, apis: addresses });
  const shorter = config
    .replace("timeout client 60s", `timeout client ${CLIENT_TIMEOUT_MS}ms\n  timeout check ${STANDSTILL_MS}ms`)
    .replace("timeout connect 250ms", `timeout connect ${STANDSTILL_MS}ms`)
    .replace("timeout server 610s", `timeout server ${SERVER_TIMEOUT_MS}ms`);
  await writeFile(file, shorter);
  balancer = spawn("haproxy", ["-db", "-f", file], { stdio: "ignore" });
  url = `http://127.0.0.1:${port}`;
});

after(async () => {
  balancer.kill();
  for (const { server } of apis) {
    server.close();
    server.closeAllConnections();
  }
  await rm(folder, { recursive: true });
});

test("spreads requests over the apis", async (t) => {
  await t.waitFor(async () => assert.equal((await ask("GET", "/")).status, 200), SOON);
  const texts = await Promise.all(Array.from({ length: 10 }, () => ask("POST", "/")));
  assert.deepEqual(new Set(texts.map(({ text }) => text)), new Set(["one", "two"]));
});

test("repeats a GET that an api dropped, and never a POST", async () => {
  const [one, two] = apis;
  for (const api of apis) Object.assign(api, { requests: [], handle: cut });
  const posted = await ask("POST", "/cut");
  assert.equal(posted.status, 502);
  assert.equal(JSON.parse(posted.text).code, "outcome_unknown");
  assert.equal(one.requests.length + two.requests.length, 1);

  one.handle = (_req, res) => res.end("one");
  for (let round = 0; round < 4; round++) assert.equal((await ask("GET", "/cut")).text, "one");
  two.handle = (_req, res) => res.end("two");
});

test("lets a client wait for an answer longer than it may be silent while it sends", async () => {
  for (const api of apis) api.handle = (_req, res) => setTimeout(() => res.end("late"), CLIENT_TIMEOUT_MS + 400);
  assert.equal((await ask("POST", "/slow")).text, "late");
  for (const [api, name] of [
    [apis[0], "one"],
    [apis[1], "two"],
  ] as const)
    api.handle = (_req, res) => res.end(name);
});

test("gives a function more time than an api, also between two parts of its answer, and calls it once", async () => {
  const [one, two] = apis;
  const givenUp = Promise.withResolvers<void>();
  for (const api of apis) {
    api.requests = [];
    api.handle = async (req, res) => {
      if (req.url === "/invoke/a/cut") return cut(req);
      if (req.url === "/invoke/a/parts") res.write("part ");
      await givenUp.promise;
      setTimeout(() => res.end("late"), 500);
    };
  }
  const [late, parts, api, dropped] = await Promise.all([
    ask("POST", "/invoke/a/late"),
    ask("GET", "/invoke/a/parts"),
    ask("POST", "/late").finally(givenUp.resolve),
    ask("GET", "/invoke/a/cut"),
  ]);
  assert.deepEqual([late.text, parts.text, api.status, dropped.status], ["late", "part late", 504, 502]);
  assert.equal([...one.requests, ...two.requests].filter((request) => request === "GET /invoke/a/cut").length, 1);
  one.handle = (_req, res) => res.end("one");
  two.handle = (_req, res) => res.end("two");
});

test("takes a body that comes with pauses, whatever it is for", async () => {
  const [one, two] = apis;
  for (const api of apis) {
    api.handle = async (req, res) => {
      let text = "";
      for await (const chunk of req) text += chunk;
      res.end(text);
    };
  }
  const body = async function* () {
    for (const part of ["a", "b", "c", "d", "e"]) {
      yield Buffer.from(part);
      await new Promise((resolve) => setTimeout(resolve, 0.25 * CLIENT_TIMEOUT_MS));
    }
  };
  const answer = await fetch(`${url}/invoke/a/upload`, { method: "POST", body: body(), duplex: "half" } as RequestInit);
  assert.equal(await answer.text(), "abcde");
  one.handle = (_req, res) => res.end("one");
  two.handle = (_req, res) => res.end("two");
});

test("leaves an api that says it is leaving, and comes back to it", async (t) => {
  const [one] = apis;
  one.isHealthy = false;
  await t.waitFor(async () => {
    one.requests = [];
    for (let round = 0; round < 4; round++) assert.equal((await ask("POST", "/")).text, "two");
    assert.deepEqual(one.requests, []);
  }, SOON);
  one.isHealthy = true;
  await t.waitFor(async () => assert.equal((await ask("POST", "/")).text, "one"), SOON);
});

test("loses no request when an api is gone from one moment to the next", async () => {
  const [one] = apis;
  one.server.close();
  one.server.closeAllConnections();
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask("POST", "/")));
  assert.deepEqual(new Set(answers.map(({ text }) => text)), new Set(["two"]));
});

test("says so in its own words when no api is left", async () => {
  for (const { server } of apis) {
    server.close();
    server.closeAllConnections();
  }
  const { status, text } = await ask("POST", "/");
  assert.equal(status, 503);
  assert.equal(JSON.parse(text).code, "no_api");
});
