import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { json } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { type ClientOptions, ConnectionError, createClient, ProblemError } from "./client.ts";

interface Seen {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingHttpHeaders;
  body: unknown;
}

type Respond = (response: ServerResponse, attempt: number) => void;

const uuid = /^[0-9a-f-]{36}$/;

/** A server that answers as told, what it has seen, and a client of it; all of it ends with the test. */
async function connect(t: TestContext, respond: Respond, options: Partial<ClientOptions> = {}) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    seen.push({ method, url, headers, body: method === "POST" ? await json(request) : undefined });
    respond(response, seen.length);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createClient({ url, ...options });
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await client.close();
  });
  return { client, seen, url };
}

function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

const busy = (response: ServerResponse) => answer(response, 503, { code: "outcome_unknown", detail: "ask again" });

test("start posts module and fields and tells whether the process is new", async (t) => {
  const { client, seen } = await connect(t, (response, attempt) =>
    answer(response, attempt === 1 ? 201 : 200, { pid: "accumulator/alice", status: "idle" }),
  );
  const fields = { key: "alice", args: 100, ifExists: "return", options: { tags: ["a"], idleAfterMs: 5 } } as const;
  assert.deepEqual(await client.start("accumulator", fields), {
    pid: "accumulator/alice",
    status: "idle",
    created: true,
  });
  assert.deepEqual((await client.start("accumulator")).created, false);
  assert.equal(`${seen[0]?.method} ${seen[0]?.url}`, "POST /v1/processes");
  assert.equal(seen[0]?.headers["content-type"], "application/json");
  assert.deepEqual(seen[0]?.body, { module: "accumulator", ...fields });
  assert.deepEqual(seen[1]?.body, { module: "accumulator" });
});

test("call posts the message and gives the reply", async (t) => {
  const { client, seen } = await connect(t, (response) => answer(response, 200, { reply: 130, messageId: "3-1" }));
  assert.equal(await client.call("accumulator/alice", "total"), 130);
  assert.equal(await client.call("accumulator/alice", { add: 1 }, { timeoutMs: 50 }), 130);
  assert.equal(`${seen[0]?.method} ${seen[0]?.url}`, "POST /v1/processes/accumulator/alice/call");
  assert.deepEqual(seen[0]?.body, { message: "total" });
  assert.deepEqual(seen[1]?.body, { message: { add: 1 }, timeoutMs: 50 });
});

test("cast and info post the message with its delay, stop its reason", async (t) => {
  const { client, seen } = await connect(t, (response) => answer(response, 202, { messageId: "3-1", reason: "bye" }));
  assert.equal((await client.cast("accumulator/alice", 10)).messageId, "3-1");
  await client.info("accumulator/alice", "tick", { delayMs: 500 });
  await client.stop("accumulator/alice");
  assert.equal((await client.stop("accumulator/alice", "bye")).reason, "bye");
  assert.deepEqual(
    seen.map(({ url, body }) => [url?.replace("/v1/processes/accumulator/alice/", ""), body]),
    [
      ["cast", { message: 10 }],
      ["info", { message: "tick", delayMs: 500 }],
      ["stop", {}],
      ["stop", { reason: "bye" }],
    ],
  );
});

test("reads go to their routes without an Idempotency-Key", async (t) => {
  const { client, seen } = await connect(t, (response) => answer(response, 200, { status: "idle" }));
  await client.inspect("accumulator/alice");
  await client.inspect("accumulator/alice", { state: true });
  await client.list();
  await client.list({ module: "accumulator", status: "idle", limit: 2, cursor: "a&b" });
  await client.message("3-1");
  await client.message("3-1", { waitMs: 5 });
  await client.cluster();
  await client.cancel("3-1");
  assert.deepEqual(
    seen.map(({ method, url }) => `${method} ${url}`),
    [
      "GET /v1/processes/accumulator/alice",
      "GET /v1/processes/accumulator/alice?state=true",
      "GET /v1/processes",
      "GET /v1/processes?module=accumulator&status=idle&limit=2&cursor=a%26b",
      "GET /v1/messages/3-1",
      "GET /v1/messages/3-1?wait=5",
      "GET /v1/cluster",
      "DELETE /v1/messages/3-1",
    ],
  );
  for (const { headers } of seen) assert.equal(headers["idempotency-key"], undefined);
});

test("a pid cannot reach another route", async (t) => {
  const { client, seen } = await connect(t, (response) => answer(response, 200, {}));
  await client.inspect("a?b/c#d e");
  assert.equal(seen[0]?.url, "/v1/processes/a%3Fb/c%23d%20e");
  for (const pid of ["", "alice", "a/b/c"]) await assert.rejects(client.call(pid, 1), { name: "TypeError" });
  assert.equal(seen.length, 1);
});

test("a url with a path and a token go along with every request", async (t) => {
  const { url, seen } = await connect(t, (response) => answer(response, 200, {}));
  await using client = createClient({ url: `${url}/cluster/`, token: "secret" });
  await client.cluster();
  assert.equal(seen[0]?.url, "/cluster/v1/cluster");
  assert.equal(seen[0]?.headers["authorization"], "Bearer secret");
});

test("every POST has an Idempotency-Key of its own unless it is given one", async (t) => {
  const { client, seen } = await connect(t, (response) => answer(response, 202, { messageId: "3-1" }));
  await client.cast("accumulator/alice", 1);
  await client.cast("accumulator/alice", 1);
  await client.cast("accumulator/alice", 1, { idempotencyKey: "mine" });
  const [first, second, third] = seen.map(({ headers }) => String(headers["idempotency-key"]));
  assert.match(String(first), uuid);
  assert.match(String(second), uuid);
  assert.notEqual(first, second);
  assert.equal(third, "mine");
});

test("a process's client sends its messages to its pid", async (t) => {
  const { client, seen } = await connect(t, (response) => answer(response, 200, { reply: 1, messageId: "3-1" }));
  const alice = client.process("accumulator/alice");
  assert.equal(await alice.call("total"), 1);
  await alice.cast(1);
  await alice.info(1);
  await alice.stop();
  assert.deepEqual(
    seen.map(({ url }) => url),
    ["call", "cast", "info", "stop"].map((verb) => `/v1/processes/accumulator/alice/${verb}`),
  );
});

test("a problem is an error with its code, its message and the key to repeat it with", async (t) => {
  const { client, seen } = await connect(t, (response) => {
    const problem = { status: 504, code: "call_timeout", detail: "no reply in 50 ms", messageId: "3-1" };
    answer(response, 504, problem, { "content-type": "application/problem+json" });
  });
  const error = await client.call("accumulator/alice", "total", { idempotencyKey: "mine" }).catch((error) => error);
  assert.ok(error instanceof ProblemError);
  assert.equal(error.message, "call_timeout: no reply in 50 ms");
  const { status, code, detail, messageId, retryAfterMs, idempotencyKey } = error;
  assert.deepEqual(
    { status, code, detail, messageId, retryAfterMs, idempotencyKey },
    {
      status: 504,
      code: "call_timeout",
      detail: "no reply in 50 ms",
      messageId: "3-1",
      retryAfterMs: undefined,
      idempotencyKey: "mine",
    },
  );
  assert.equal(seen.length, 1);
});

test("a full mailbox is told with its Retry-After and is not tried again", async (t) => {
  const { client, seen } = await connect(t, (response) =>
    answer(response, 429, { code: "mailbox_full", detail: "10,000 messages" }, { "retry-after": "2" }),
  );
  await assert.rejects(client.cast("accumulator/alice", 1), { code: "mailbox_full", retryAfterMs: 2_000 });
  assert.equal(seen.length, 1);
});

test("an answer that is not the cluster's is an error by its status", async (t) => {
  const { client } = await connect(t, (response, attempt) => {
    response.writeHead(attempt === 1 ? 404 : 200, { "content-type": "text/html" }).end("<h1>Welcome</h1>");
  });
  await assert.rejects(client.cluster(), { code: "http_404", detail: /not the cluster's: <h1>Welcome/ });
  await assert.rejects(client.cluster(), { name: "ProblemError", code: "http_200" });
});

test("a 503 is repeated with the same key and body until it is answered", async (t) => {
  const { client, seen } = await connect(t, (response, attempt) =>
    attempt < 3 ? busy(response) : answer(response, 200, { reply: 7, messageId: "3-1" }),
  );
  assert.equal(await client.call("accumulator/alice", { add: 7 }), 7);
  assert.equal(seen.length, 3);
  assert.match(String(seen[0]?.headers["idempotency-key"]), uuid);
  for (const { headers, body } of seen) {
    assert.equal(headers["idempotency-key"], seen[0]?.headers["idempotency-key"]);
    assert.deepEqual(body, { message: { add: 7 } });
  }
});

test("a request is sent only so many times", async (t) => {
  const { client, seen } = await connect(t, busy, { attempts: 2 });
  await assert.rejects(client.call("accumulator/alice", "total"), { status: 503, code: "outcome_unknown" });
  assert.equal(seen.length, 2);
});

test("no repeat begins that would come after the end of its time", async (t) => {
  const respond: Respond = (response) =>
    answer(response, 503, { code: "no_workers", detail: "none" }, { "retry-after": "60" });
  const { client, seen } = await connect(t, respond, { graceMs: 5_000 });
  await assert.rejects(client.cast("accumulator/alice", 1), { code: "no_workers", retryAfterMs: 60_000 });
  assert.equal(seen.length, 1);
});

test("a connection that breaks before, within or instead of an answer is tried again", async (t) => {
  const { client, seen } = await connect(t, (response, attempt) => {
    if (attempt === 1) return response.destroy();
    if (attempt === 2) {
      response.writeHead(200, { "content-length": 100 }).write("{", () => response.destroy());
      return;
    }
    if (attempt === 3) return response.writeHead(502).end("Bad Gateway");
    answer(response, 202, { messageId: "3-1" });
  });
  assert.deepEqual(await client.cast("accumulator/alice", 1), { messageId: "3-1" });
  assert.equal(new Set(seen.map(({ headers }) => headers["idempotency-key"])).size, 1);
  assert.equal(seen.length, 4);
});

test("a DELETE is sent once", async (t) => {
  const { client, seen } = await connect(t, (response) => response.destroy());
  await assert.rejects(client.cancel("3-1"), ConnectionError);
  assert.equal(seen.length, 1);
});

test("a port where nobody listens is a connection error with the key that was used", async () => {
  const free = createTcpServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as AddressInfo;
  await once(free.close(), "close");
  await using client = createClient({ url: `http://127.0.0.1:${port}`, attempts: 2 });
  const error = await client.cast("accumulator/alice", 1, { idempotencyKey: "mine" }).catch((error) => error);
  assert.ok(error instanceof ConnectionError);
  assert.match(error.message, /^no answer: .*ECONNREFUSED/);
  assert.equal(error.idempotencyKey, "mine");
});

test("a server that never answers is given up after the call's time and the grace", async (t) => {
  const { client } = await connect(t, () => {}, { graceMs: 50 });
  await assert.rejects(client.call("accumulator/alice", "total", { timeoutMs: 25 }), {
    name: "ConnectionError",
    message: "no answer in 75 ms",
  });
});

test("the caller's signal ends a request under way, a pause before a repeat, and a request before it is sent", async (t) => {
  const reason = new Error("no longer wanted");
  const [first, second] = [new AbortController(), new AbortController()];
  const { client, seen } = await connect(t, (response, attempt) => {
    if (attempt === 1) return first.abort(reason);
    answer(response, 503, { code: "no_workers", detail: "none" }, { "retry-after": "5" });
    setTimeout(() => second.abort(reason), 100);
  });
  await assert.rejects(client.call("accumulator/alice", "total", { signal: first.signal }), reason);
  await assert.rejects(client.cluster({ signal: first.signal }), reason);
  assert.equal(seen.length, 1);

  const beginning = performance.now();
  await assert.rejects(client.cast("accumulator/alice", 1, { signal: second.signal }), reason);
  assert.ok(performance.now() - beginning < 5_000, "it did not wait for the repeat");
  assert.equal(seen.length, 2);
});

test("requests that follow each other share their connections", async (t) => {
  const ports = new Set<number | undefined>();
  const { client } = await connect(t, (response) => {
    ports.add(response.socket?.remotePort);
    answer(response, 200, {});
  });
  for (let request = 0; request < 20; request++) await client.cluster();
  assert.ok(ports.size <= 2, `${ports.size} connections`);
});

test("close lets requests under way end and takes no more", async (t) => {
  const { url } = await connect(t, (response) => setImmediate(answer, response, 200, { reply: 1 }));
  const client = createClient({ url });
  const reply = client.call("accumulator/alice", "total");
  await client.close();
  assert.equal(await reply, 1);
  await assert.rejects(client.cluster());
});
