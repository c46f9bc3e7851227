import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { findFreePort } from "@genserverless/local/ports.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { type Gateway, GatewayCluster } from "./gateway-cluster.ts";
import { request, type Step } from "./model/messages.ts";

const world = new GatewayCluster();
let gateway: Gateway;

before(async () => {
  await world.start();
  const port = await findFreePort();
  await world.startModel(port);
  gateway = await world.startGateway(port, { RELAY_TIMEOUT_MS: "2000" });
  await gateway.untilOpen();
});
after(async () => {
  await world.stop();
  assertNoChildLeft();
});

async function send(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
  const answer = await fetch(gateway.url + path, { method, headers, ...(body !== undefined && { body }) });
  return { code: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
}

const post = (path: string, body: object) => send("POST", path, JSON.stringify(body));
const script = (...steps: Step[]) => JSON.stringify(steps);

test("a rule's path, body and query are a request, whose answer is JSON; gRPC sees the same entity", async () => {
  const answer = await post("/model/a%2Fb/process", { script: script({ emit: "A" }) });
  assert.deepEqual(answer, { code: 200, type: "application/json", text: '{"message":"A"}' });
  const read = await send("GET", `/model/a%2Fb?script=${encodeURIComponent(script({ emit: "B" }))}`);
  assert.equal(read.text, '{"message":"AB"}');
  assert.equal(await gateway.call(request("a/b")), "AB");
});

test("a field that has its default is printed", async () => {
  assert.equal((await send("GET", "/model/nothing")).text, '{"message":""}');
});

test("without a rule a method answers POST under its own name, whatever the content type", async () => {
  const body = { id: "plain", script: script({ emit: "x" }) };
  assert.equal((await post("/model.Two/Call", body)).text, '{"message":"x"}');
  const form = await send("POST", "/model.Two/Call", JSON.stringify(body), {
    "content-type": "application/x-www-form-urlencoded",
  });
  assert.equal(form.text, '{"message":"xx"}');
  assert.equal((await post("/model.Act/Unary", { id: "hello" })).text, '{"message":"hello"}');
});

test("a failure is 500 with its text", async () => {
  const answer = await post("/model/failing/process", { script: script({ fail: "expected failure" }) });
  assert.deepEqual(answer, { code: 500, type: "text/plain; charset=utf-8", text: "expected failure" });
});

test("what is no request is 400, and says why", async () => {
  for (const [body, why] of [
    ["{", /not JSON/],
    ["[]", /must be an object/],
    ['{"absent":1}', /absent is no field of model\.Request/],
    ['{"script":5}', /script must be a text/],
  ] as const) {
    const { code, text } = await send("POST", "/model/bad/process", body);
    assert.equal(code, 400, text);
    assert.match(text, why);
  }
  assert.equal((await send("GET", "/model/bad?absent=1")).code, 400);
});

test("another path, and another method, are 404; a streamed method too", async () => {
  assert.equal((await send("GET", "/absent")).code, 404);
  assert.equal((await send("PUT", "/model/x")).code, 404);
  assert.equal((await send("GET", "/model.Two/Call")).code, 404);
  assert.equal((await send("GET", "/model/%zz")).code, 404);
  assert.equal((await post("/model.Act/Streamed", {})).code, 404);
});

test("a body above 4 MiB is 413", async () => {
  const { code } = await send("POST", "/model/large/process", "x".repeat(4 * 1024 * 1024 + 1)).catch(() => ({
    code: 413,
  }));
  assert.equal(code, 413);
  assert.equal((await send("GET", "/model/large")).code, 200);
});

test("a page of another site may not act", async () => {
  const headers = { origin: "http://elsewhere.example" };
  assert.equal((await send("POST", "/model/x/process", "{}", headers)).code, 403);
  assert.equal((await send("GET", "/model/x", undefined, headers)).code, 200);
});

test("a command without an answer in time is an error", async () => {
  assert.equal((await post("/model/silent/process", { script: script({ misbehave: "never" }) })).code, 500);
});

test("CS-15: ready and alive answer, and a probe of Knative gets its word", async () => {
  assert.deepEqual(await send("GET", "/ready"), { code: 200, type: "application/json", text: '{"status":"ready"}' });
  assert.equal((await send("GET", "/alive")).code, 200);
  const probe = await send("GET", "/anything", undefined, { "k-network-probe": "queue" });
  assert.deepEqual([probe.code, probe.text], [200, "queue"]);
});

test("CS-15: it is alive, and not ready, without Redis", async () => {
  await world.cluster.redis.kill();
  const notReady = async () => (await send("GET", "/ready")).code === 503;
  await until(notReady, { withinMs: 20_000, what: "it is not ready" });
  assert.match((await send("GET", "/ready")).text, /waits for Redis/);
  assert.equal((await send("GET", "/alive")).code, 200);
  await world.cluster.redis.restart();
  await until(async () => (await send("GET", "/ready")).code === 200, { withinMs: 60_000, what: "it is ready again" });
  await until(async () => (await send("GET", "/model/back")).code === 200, { withinMs: 60_000, what: "calls work" });
});

test("a connection that brings the preface of HTTP/2 byte by byte is one, and one that says something else is none", async () => {
  const answer = await converse(Array.from("GET /alive HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
  assert.match(answer, /^HTTP\/1\.1 200 OK/);
  const preface = await converse([...Array.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "\0\0\0\u0004\0\0\0\0\0"], 9);
  assert.equal(preface.charCodeAt(3), 4, "a SETTINGS frame");
  assert.match(await converse(["PRIX"]), /^HTTP\/1\.1 400/);
});

/** Sends piece by piece; resolves with what came back, at least so much of it. */
function converse(pieces: readonly string[], bytes = Infinity): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = "";
    const socket = connect({ port: gateway.port, host: "127.0.0.1", noDelay: true });
    socket.setEncoding("latin1");
    socket.on("error", reject).on("close", () => resolve(heard));
    socket.on("data", (text: string) => {
      heard += text;
      if (heard.length >= bytes) socket.destroy();
    });
    const sendNext = (index: number) => {
      const piece = pieces[index];
      if (piece !== undefined) socket.write(piece, "latin1", () => setImmediate(sendNext, index + 1));
    };
    socket.on("connect", () => sendNext(0));
  });
}
