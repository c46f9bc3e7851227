import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { after, test } from "node:test";
import { postJson } from "./http-connection.ts";
import { type LoadResult, runLoad } from "./load.ts";

const PATHS = ["/0", "/1", "/2"];
const requests = PATHS.map((path) => postJson(path, { message: { add: 1 } }));
const servers: { closeAllConnections(): void; close(): void }[] = [];

after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<{ host: string; port: number }> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address !== "string");
  return { host: address.address, port: address.port };
}

function answer(response: Parameters<RequestListener>[1], status: number, size = 10): void {
  response.writeHead(status, { "content-length": size }).end("x".repeat(size));
}

const counts = ({ acknowledged, unacknowledged }: LoadResult) => [[...acknowledged], [...unacknowledged]];

test("without a time each request is sent once, with its body, on as many connections as asked", async () => {
  const bodies: string[] = [];
  const ports = new Set<number | undefined>();
  const address = await serve(async (request, response) => {
    ports.add(request.socket.remotePort);
    bodies.push(`${request.url} ${await new Response(request as unknown as ReadableStream).text()}`);
    answer(response, 200);
  });
  const result = await runLoad({ address, connections: 3, requests });
  assert.deepEqual(bodies.sort(), ['/0 {"message":{"add":1}}', '/1 {"message":{"add":1}}', '/2 {"message":{"add":1}}']);
  assert.deepEqual(counts(result), [
    [1, 1, 1],
    [0, 0, 0],
  ]);
  assert.equal(result.latencies.length, 3);
  assert.equal(ports.size, 3);
});

test("for a time, what the server handled is what is acknowledged, counter by counter, on one kept connection", async () => {
  const handled = [0, 0, 0];
  const ports = new Set<number | undefined>();
  const address = await serve((request, response) => {
    ports.add(request.socket.remotePort);
    const counter = Number(request.url?.slice(1));
    handled[counter] = (handled[counter] ?? 0) + 1;
    answer(response, 200, 100_000);
  });
  const result = await runLoad({ address, connections: 1, requests, seconds: 0.2 });
  assert.deepEqual([...result.acknowledged], handled);
  assert.equal(ports.size, 1);
  assert.ok(result.elapsedMs >= 200 && result.elapsedMs < 5_000);
});

test("a status that is no success is an error, and its call is not acknowledged", async () => {
  const address = await serve((request, response) => answer(response, request.url === "/1" ? 503 : 201));
  const result = await runLoad({ address, connections: 2, requests });
  assert.deepEqual(counts(result), [
    [1, 0, 1],
    [0, 1, 0],
  ]);
  assert.deepEqual(result.errors, { 503: 1 });
});

test("a connection that the server closes is opened again; the call that it took with it is unacknowledged", async () => {
  const address = await serve((request, response) => {
    if (request.url === "/1") request.socket.destroy();
    else answer(response, 200);
  });
  const result = await runLoad({ address, connections: 1, requests });
  assert.deepEqual(counts(result), [
    [1, 0, 1],
    [0, 1, 0],
  ]);
  assert.deepEqual(result.errors, { closed: 1 });
});

test("a server that is not there is an error of each call", async () => {
  const result = await runLoad({ address: { host: "127.0.0.1", port: 1 }, connections: 1, requests });
  assert.deepEqual(result.errors, { ECONNREFUSED: 3 });
});
