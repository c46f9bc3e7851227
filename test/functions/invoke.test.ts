/** Functions as HTTP clients meet them through the api: what goes through as it is, what is held back, and what never hangs. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { EventReader } from "../tools/event-reader.ts";
import type { TestNode } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { FunctionsCluster } from "./functions-cluster.ts";
import { TOKEN as SERVICE_TOKEN } from "./functions-service.ts";
import { answerOf, exchangeBytes, open, type RawRequest, send } from "./raw-http.ts";

const MB = 1024 * 1024;
const API_TOKEN = "the-token-of-this-api";
const FUNCTIONS: Record<string, [source: string, settings?: string]> = {
  echo: [
    `async (req, res) => {
      let bytes = 0;
      for await (const chunk of req) bytes += chunk.length;
      const { method, url, rawHeaders } = req;
      res.end(JSON.stringify({ method, url, rawHeaders, bytes, from: req.socket.remoteAddress }));
    }`,
  ],
  answer: [
    `(req, res) => {
      const status = Number(req.url.split("/")[1]);
      if (status === 404) res.setHeader("x-function-problem", "unknown_project");
      res.setHeader("set-cookie", ["a=1; Path=/", "b=2"]).setHeader("x-two", ["1", "2"]).setHeader("etag", '"e"');
      res.writeHead(status, "In Other Words").end(status === 204 || status === 304 ? undefined : "of the function");
    }`,
  ],
  pipe: ["(req, res) => { res.flushHeaders(); req.pipe(res); }"],
  early: ["(req, res) => res.writeHead(401).end('not with me')"],
  large: [
    "(req, res) => { for (let i = 0; i < 12; i++) res.setHeader('x-' + i, 'v'.repeat(1000)); res.end('large'); }",
  ],
  flood: [
    `(req, res) => {
      const chunk = Buffer.alloc(65536, 120);
      let written = 0, held;
      const more = () => {
        clearTimeout(held);
        while (written < 200e6 && (written += chunk.length) && res.write(chunk));
        if (written >= 200e6) return res.end();
        held = setTimeout(() => console.log("held at " + written), 500);
        res.once("drain", more);
      };
      res.on("close", () => console.log("closed"));
      more();
    }`,
  ],
  born: [
    "(req, res) => req.url === '/late' ? console.log('late') : res.end(birth)",
    "  timeout: 2s\n  concurrency: 1\n",
  ],
  one: ["(req, res) => { console.log('begun'); req.resume().on('end', () => res.end()); }", "  concurrency: 1\n"],
  throws: ["() => { throw new Error('on purpose'); }"],
  leaves: [
    "async (req, res) => { console.log('begun'); await new Promise((done) => setTimeout(done, 400)); res.end('whole'); }",
  ],
};
const MANIFEST = Object.entries(FUNCTIONS).map(
  ([name, [, settings = ""]]) => `- name: ${name}\n  type: http\n${settings}`,
);
const SOURCES = Object.entries(FUNCTIONS).map(([name, [source]]) => `exports.${name} = ${source};`);

const cluster = new FunctionsCluster({ service: { FUNCTIONS_WAITING: "1" } });
let project = "";
let guarded: TestNode;
let openTo: TestNode;

before(async () => {
  await cluster.start();
  const nodes = cluster.cluster;
  [guarded, openTo] = await Promise.all([
    nodes.addApi({ API_TOKEN }),
    nodes.addApi({ API_TOKEN, FUNCTIONS_INVOKE: "open" }),
  ]);
  ({ project } = await cluster.deploy({
    ".eserveless.yaml": `runtime: node\nfunctions:\n${MANIFEST.join("")}- { name: ticks, type: cron, schedule: "@yearly" }\n`,
    "functions.js": `const birth = String(Math.random());\n${SOURCES.join("\n")}\nexports.ticks = () => {};`,
  }));
  await nodes.untilReady();
});

after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

interface Seen {
  method: string;
  url: string;
  rawHeaders: string[];
  bytes: number;
  from: string;
}

/** The answer of a function, asked under its own path. */
function invoke(name: string, rest = "", request: RawRequest & { at?: string } = {}) {
  return send(request.at ?? cluster.url, `/invoke/${project}/${name}${rest}`, request);
}

/** What the function `echo` was told. */
async function echo(rest = "", request: RawRequest & { at?: string } = {}): Promise<Seen> {
  const { status, body } = await invoke("echo", rest, request);
  assert.equal(status, 200, body.toString());
  return JSON.parse(body.toString());
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);
}

function residentBytes(node: TestNode): number {
  const status = readFileSync(`/proc/${node.pid}/status`, "utf8");
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

test("method, path, query and headers go through as they are", async () => {
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND"]) {
    assert.equal((await echo("", { method })).method, method);
  }
  const paths: [given: string, seen: string][] = [
    ["", "/"],
    ["/", "/"],
    ["?", "/?"],
    ["//a//", "//a//"],
    ["/a%20b/%C3%A9+%2F%3f?q=%ff&q=%zz&=&&r[]=1;2#no", "/a%20b/%C3%A9+%2F%3f?q=%ff&q=%zz&=&&r[]=1;2#no"],
    ["/../../../v1/projects", "/../../../v1/projects"],
    ["/%2e%2e/%2e%2e/x", "/%2e%2e/%2e%2e/x"],
    ["/a?x=/../%00", "/a?x=/../%00"],
    [`/${"long/".repeat(2_000)}`, `/${"long/".repeat(2_000)}`],
  ];
  for (const [given, seen] of paths) assert.equal((await echo(given)).url, seen);
  const absolute = await send(cluster.url, `http://any.example:81/invoke/${project}/echo/a?b`);
  assert.equal((JSON.parse(absolute.body.toString()) as Seen).url, "/a?b");
  const headers = ["X-Twice", "1", "x-twice", "2", "Accept", "a/b", "X-Latin", "\xe9", "X-Empty", "", "TE", "trailers"];
  const { rawHeaders } = await echo("", { headers });
  assert.deepEqual(valuesOf(rawHeaders, "x-twice"), ["1", "2"]);
  assert.deepEqual(valuesOf(rawHeaders, "x-latin"), ["\xe9"]);
  assert.deepEqual(valuesOf(rawHeaders, "x-empty"), [""]);
  assert.deepEqual(valuesOf(rawHeaders, "te"), []);
  assert.deepEqual(valuesOf(rawHeaders, "host"), [new URL(cluster.url).host]);
});

test("an answer comes back as it is: status, words, headers twice, no body where there is none", async () => {
  for (const status of [200, 201, 204, 302, 304, 404, 418, 500, 503, 599]) {
    const { headers, rawHeaders, body, ...answer } = await invoke("answer", `/${status}`);
    assert.equal(answer.status, status);
    assert.deepEqual(valuesOf(rawHeaders, "set-cookie"), ["a=1; Path=/", "b=2"]);
    assert.deepEqual(valuesOf(rawHeaders, "x-two"), ["1", "2"]);
    assert.equal(valuesOf(rawHeaders, "date").length, 1);
    assert.equal(headers["x-function-problem"], undefined, "the service alone says so");
    assert.equal(body.toString(), status === 204 || status === 304 ? "" : "of the function");
  }
  const head = await invoke("answer", "/200", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.etag, head.body.length], [200, '"e"', 0]);
  const pipelined = `HEAD /invoke/${project}/answer/200 HTTP/1.1\r\nHost: a\r\n\r\nGET /invoke/${project}/answer/201 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
  const both = await exchangeBytes(cluster.url, pipelined);
  assert.match(both, /^HTTP\/1\.1 200 In Other Words\r\n[\s\S]*\r\n\r\nHTTP\/1\.1 201 In Other Words\r\n/);
  const large = await invoke("large");
  assert.deepEqual([large.status, large.headers["x-11"]?.length], [200, 1_000]);
});

test("bodies stream both ways, each piece as it comes", async () => {
  const request = open(cluster.url, `/invoke/${project}/pipe`, { method: "POST" });
  request.write("one");
  const answer = await answerOf(request);
  const [first] = await once(answer, "data");
  assert.equal(String(first), "one");
  request.write("two");
  const [second] = await once(answer, "data");
  assert.equal(String(second), "two");
  request.end();
  await once(answer, "end");
  const chunk = Buffer.alloc(MB, 1);
  const upload = open(cluster.url, `/invoke/${project}/echo`, { method: "POST" });
  const answered = answerOf(upload);
  for (let i = 0; i < 20; i++) if (!upload.write(chunk)) await once(upload, "drain");
  upload.end();
  const seen = JSON.parse(String(await once(await answered, "data"))) as Seen;
  assert.equal(seen.bytes, 20 * MB);
});

test("who asks whether to go on is told so, and a body may follow", async () => {
  const headers = ["Expect", "100-continue", "Content-Length", "4"];
  const request = open(cluster.url, `/invoke/${project}/echo`, { method: "POST", headers });
  request.flushHeaders();
  await once(request, "continue");
  request.end("body");
  const seen = JSON.parse(String(await once(await answerOf(request), "data"))) as Seen;
  assert.deepEqual([seen.bytes, valuesOf(seen.rawHeaders, "expect")], [4, []]);
});

test("an answer that comes before its request has been read reaches whoever sends", async () => {
  const request = { method: "POST", body: Buffer.alloc(8 * MB), headers: ["Connection", "keep-alive"] };
  const early = await invoke("early", "", request);
  assert.deepEqual([early.status, early.body.toString()], [401, "not with me"]);
  const missing = await send(cluster.url, "/invoke/nobody-nothing/echo", request);
  assert.deepEqual([missing.status, missing.body.toString()], [404, '{"message":"project not found!"}']);
  const thrown = await invoke("throws", "", request);
  assert.equal(thrown.status, 500);
});

test("a slow reader holds the function up and not the api's memory; one that leaves ends it", async () => {
  const [api] = cluster.cluster.apis as [TestNode];
  await echo();
  const before = residentBytes(api);
  const answer = await answerOf(open(cluster.url, `/invoke/${project}/flood`).end());
  await once(answer, "readable");
  const lines = await cluster.service.untilLogged(project, "flood", /^held at/);
  const written = Number(lines.find((line) => line.startsWith("held at"))?.split(" ")[2]);
  assert.ok(written < 50e6, `${written} bytes were written for nobody`);
  const grown = residentBytes(api) - before;
  assert.ok(grown < 100 * MB, `the api has grown by ${grown} bytes`);
  answer.destroy();
  const isIdle = async () => (await cluster.readFunction(project, "flood")).sandboxes.busy === 0;
  await until(isIdle, { withinMs: 20_000, what: "nothing goes on for a reader that has left" });
});

test("headers of one connection, and what our own parts say to each other, reach no function", async () => {
  const headers = [
    ...["Connection", "keep-alive, X-Hop, X-Forwarded-For", "X-Hop", "1", "Keep-Alive", "5", "Proxy-Connection", "a"],
    ...["X-Forwarded-For", "192.0.2.7", "X-Functions-Token", "guess", "Upgrade", "h2c", "Proxy-Authorization", "a"],
  ];
  const { rawHeaders, from } = await echo("", { headers });
  const names = rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  assert.deepEqual(names.toSorted(), ["connection", "host", "x-forwarded-for"]);
  assert.equal(from, "192.0.2.7", "nobody takes a client's address away");
  assert.ok(!JSON.stringify(rawHeaders).includes(SERVICE_TOKEN));
});

test("a request with two lengths is refused", async () => {
  const head = `POST /invoke/${project}/echo HTTP/1.1\r\nHost: a\r\n`;
  const hidden = `GET /invoke/${project}/echo/hidden HTTP/1.1\r\nHost: a\r\n\r\n`;
  const lengths = [
    `Content-Length: ${hidden.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "Content-Length: 3\r\nContent-Length: 5\r\n\r\n",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
  ];
  for (const length of lengths) {
    const answer = await exchangeBytes(cluster.url, `${head}${length}${hidden}`);
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.doesNotMatch(answer, /HTTP\/1\.1 200/, length);
  }
});

test("Authorization is the function's own, but for the api's token; the console's cookies are nobody's", async () => {
  const authorizationOf = async (at: TestNode | undefined, given: string) =>
    valuesOf(
      (await echo("", { at: at?.url ?? cluster.url, headers: ["Authorization", given] })).rawHeaders,
      "authorization",
    );
  assert.deepEqual(await authorizationOf(undefined, "Basic abc"), ["Basic abc"]);
  assert.deepEqual(await authorizationOf(guarded, `Bearer ${API_TOKEN}`), []);
  assert.deepEqual(await authorizationOf(openTo, "Bearer another"), ["Bearer another"]);
  assert.deepEqual(await authorizationOf(openTo, `Bearer ${API_TOKEN}`), []);
  assert.equal((await invoke("echo", "", { at: guarded.url ?? "" })).status, 401);
  const cookies = ["Cookie", "a=1; genserverless-console-3000=secret; b=2", "Cookie", "genserverless-console-1=x"];
  assert.deepEqual(valuesOf((await echo("", { headers: cookies })).rawHeaders, "cookie"), ["a=1; b=2"]);
});

test("what is not there is 404 in the words of the seed, and a broken path 400", async () => {
  const named: [path: string, status: number, body: RegExp][] = [
    ["/invoke/nobody-nothing/echo", 404, /^{"message":"project not found!"}$/],
    [`/invoke/${project}/nothing`, 404, /^{"message":"function not found!"}$/],
    [`/invoke/${project}/ticks`, 404, /^{"message":"function not found!"}$/],
    [`/invoke/${project}/__proto__`, 404, /^{"message":"function not found!"}$/],
    [`/invoke/${project}/%2e%2e`, 404, /^{"message":"function not found!"}$/],
    ["/invoke/../echo", 404, /^{"message":"project not found!"}$/],
    ["/invoke/%2e%2e/%2e%2e/projects", 404, /^{"message":"project not found!"}$/],
    ["/invoke/a%2Fb/echo", 404, /^{"message":"project not found!"}$/],
    ["/invoke//echo", 404, /unknown_route/],
    [`/invoke/${project}`, 404, /unknown_route/],
    [`/invoke/${project}/`, 404, /unknown_route/],
    [`/invoke/%zz/echo`, 400, /invalid_request/],
  ];
  for (const [path, status, body] of named) {
    const answer = await send(cluster.url, path);
    assert.deepEqual([answer.status, body.test(answer.body.toString())], [status, true], `${path} ${answer.body}`);
  }
  const long = await exchangeBytes(cluster.url, `GET /invoke/${project}/echo/${"a".repeat(40_000)} HTTP/1.1\r\n\r\n`);
  assert.match(long, /^HTTP\/1\.1 400 [\s\S]*invalid_request/);
});

test("an upgrade to a WebSocket is refused", async () => {
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
  const head = `GET /invoke/${project}/echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n`;
  assert.match(await exchangeBytes(cluster.url, `${head}${key}\r\n`), /^HTTP\/1\.1 501 [\s\S]*upgrade_unsupported/);
});

test("a function that does not answer in time is 504, and begins anew", async () => {
  const born = await invoke("born");
  assert.equal((await invoke("born")).body.toString(), born.body.toString());
  const late = await invoke("born", "/late");
  assert.deepEqual([late.status, late.headers["x-function-problem"]], [504, "function_timeout"]);
  const again = await invoke("born");
  assert.equal(again.status, 200);
  assert.notEqual(again.body.toString(), born.body.toString());
});

test("beyond those that may wait it is 429, at once", async () => {
  const path = `/invoke/${project}/one`;
  const first = open(cluster.url, path, { method: "POST", headers: ["Transfer-Encoding", "chunked"] });
  first.write("first");
  await cluster.service.untilLogged(project, "one", /^begun$/);
  let refused = 0;
  const others = Array.from({ length: 4 }, async () => {
    const { status, headers } = await send(cluster.url, path);
    if (status === 429) refused++;
    return [status, headers["retry-after"]];
  });
  await until(() => refused === 2, { withinMs: 20_000, what: "two are refused while the first is under way" });
  first.end();
  assert.equal((await answerOf(first)).statusCode, 200);
  const sorted = (await Promise.all(others)).toSorted();
  assert.deepEqual(sorted, [
    [200, undefined],
    [200, undefined],
    [429, "1"],
    [429, "1"],
  ]);
  assert.equal((await cluster.readFunction(project, "one")).refused, 2);
});

test("a node that leaves answers what is under way, and ends the logs that are followed", async () => {
  const leaving = guarded;
  const url = leaving.url ?? "";
  const headers = ["Authorization", `Bearer ${API_TOKEN}`];
  const log = await EventReader.open(`${url}/logs/${project}/leaves`, undefined, {
    authorization: `Bearer ${API_TOKEN}`,
  });
  const answer = invoke("leaves", "", { at: url, headers });
  await log.nextWhere(({ data }) => data["text"] === "begun", { withinMs: 20_000 });
  leaving.signal("SIGTERM");
  await log.untilEnd();
  const { status, headers: told, body } = await answer;
  assert.deepEqual([status, told.connection, body.toString()], [200, "close", "whole"]);
  await leaving.stop();
});
