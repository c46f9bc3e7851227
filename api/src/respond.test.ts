import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { text as readText } from "node:stream/consumers";
import { test } from "node:test";
import { CursorError } from "@genserverless/shared/inspect/process-list.ts";
import { AnswerLost, RedisDown } from "@genserverless/shared/redis/connection.ts";
import { ClusterError, ERRORS, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { openDoor } from "./door.test-support.ts";
import { type Answer, HttpProblem, Responder } from "./respond.ts";

const log = createLog("test", { LOG_LEVEL: "silent" });

interface Respond {
  answer?: Answer;
  error?: unknown;
  isDraining?: boolean;
}

/** One answer, as a client gets it. */
async function respond({ answer, error, isDraining = false }: Respond): Promise<Response> {
  const responder = new Responder("api@test", () => isDraining, log);
  const server: Server = createServer((_req, res) => {
    if (answer) responder.send(res, answer);
    else responder.fail(res, error);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as { port: number };
    const response = await fetch(`http://127.0.0.1:${port}/`);
    return new Response(response.status === 304 ? null : await response.text(), response);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function problemOf(error: unknown): Promise<Record<string, unknown>> {
  return (await (await respond({ error })).json()) as Record<string, unknown>;
}

test("every code of the table leaves as a problem document with its status and title", async () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const response = await respond({ error: new ClusterError(code, "why") });
    const [status, title] = ERRORS[code];
    assert.equal(response.status, status);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    assert.equal(response.headers.get("x-served-by"), "api@test");
    const type = `urn:genserverless:problem:${code}`;
    assert.deepEqual(await response.json(), { type, title, status, detail: "why", code });
  }
});

test("429 and 503 say when to try again, and only they", async () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { status, headers } = await respond({ error: new ClusterError(code, "why") });
    assert.equal(headers.has("retry-after"), status === 429 || status === 503, code);
  }
});

test("an error that knows its message names it", async () => {
  const problem = await problemOf(new ClusterError("call_timeout", "late", "1-2"));
  assert.equal(problem["messageId"], "1-2");
});

test("an error that is not ours says nothing of itself", async () => {
  const response = await respond({ error: new TypeError("secret is not a function") });
  assert.equal(response.status, 500);
  const body = await response.text();
  assert.match(body, /internal_error/);
  assert.doesNotMatch(body, /secret|TypeError|\n/);
});

test("an error that was thrown without being one is internal_error", async () => {
  for (const error of [undefined, null, "text", 5]) assert.equal((await respond({ error })).status, 500);
});

test("a Redis that is away is redis_unavailable, whatever was asked of it", async () => {
  for (const error of [new RedisDown("down"), new AnswerLost("lost")]) {
    assert.equal((await problemOf(error))["code"], "redis_unavailable");
  }
});

test("a cursor that no list made is invalid_request", async () => {
  assert.equal((await problemOf(new CursorError("no")))["code"], "invalid_request");
});

test("a problem may carry headers and members of its own", async () => {
  const error = new HttpProblem("no_workers", "not ready", { headers: { allow: "GET" }, members: { reasons: ["a"] } });
  const response = await respond({ error });
  assert.equal(response.headers.get("allow"), "GET");
  assert.deepEqual((await problemOf(error))["reasons"], ["a"]);
});

test("an answer carries its headers and its length in bytes", async () => {
  const response = await respond({ answer: { status: 201, json: { name: "ä" }, headers: { location: "/there" } } });
  assert.equal(response.status, 201);
  assert.equal(response.headers.get("location"), "/there");
  assert.equal(response.headers.get("content-length"), "13");
  assert.deepEqual(await response.json(), { name: "ä" });
});

test("an answer without a body has neither type nor length", async () => {
  const { status, headers } = await respond({ answer: { status: 304, headers: { etag: '"7"' } } });
  assert.equal(status, 304);
  assert.equal(headers.get("etag"), '"7"');
  assert.equal(headers.has("content-type"), false);
});

test("an answer ends its connection once the node drains", async () => {
  const answer = { status: 200, json: null };
  assert.equal((await respond({ answer })).headers.get("connection"), "keep-alive");
  assert.equal((await respond({ answer, isDraining: true })).headers.get("connection"), "close");
});

test("bytes that are no HTTP request get a problem document too", async () => {
  await using door = await openDoor();
  const socket = connect(door.port, "127.0.0.1");
  socket.end("GARBAGE\r\n\r\n");
  const answer = await readText(socket);
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.match(answer, /x-served-by: api@test\r\n/);
  assert.match(answer, /"code":"invalid_request"/);
});
