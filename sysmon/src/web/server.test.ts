import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { Events } from "@genserverless/shared/service/events.ts";
import { WebServer } from "./server.ts";

function buildServer(port = 0, mostConnections = 10) {
  return new WebServer({
    app: (_request, response) => response.end("here"),
    host: "127.0.0.1",
    port,
    events: new Events(),
    stopWithinMs: 50,
    mostConnections,
  });
}

test("a busy port is named", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  t.after(() => taken.close());
  await t.waitFor(() => assert.ok(taken.address()), { timeout: 10_000 });
  const { port } = taken.address() as { port: number };
  const server = buildServer(port);
  await assert.rejects(server.start(), { name: "SettingError", message: new RegExp(`SYSMON_PORT ${port}.*in use`) });
  await server.stop();
});

test("stop is safe twice and without start, and a stopped server can start again", async () => {
  const server = buildServer();
  await server.stop();
  for (const _ of [1, 2]) {
    await server.start();
    await server.start();
    assert.equal((await fetch(server.url ?? "")).status, 200);
    await Promise.all([server.stop(), server.stop()]);
    assert.equal(server.url, undefined);
  }
});

test("a connection above the bound is closed at once", async (t) => {
  const server = buildServer(0, 1);
  await server.start();
  t.after(() => server.stop());
  const { port } = new URL(server.url ?? "");
  const first = connect(Number(port), "127.0.0.1");
  t.after(() => first.destroy());
  await once(first, "connect");
  const second = connect(Number(port), "127.0.0.1");
  second.on("error", () => {});
  await once(second, "close");
  assert.equal(first.closed, false);
});

test("a client that sends nothing does not hold up stop", async (t) => {
  const server = buildServer();
  await server.start();
  const { port } = new URL(server.url ?? "");
  const client = connect(Number(port), "127.0.0.1");
  client.on("error", () => {});
  t.after(() => client.destroy());
  await new Promise((resolve) => client.write("GET / HTTP/1.1\r\n", resolve));
  await server.stop();
});
