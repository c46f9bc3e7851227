import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { SettingError } from "@genserverless/shared/service/env.ts";
import { Events } from "@genserverless/shared/service/events.ts";
import express from "express";
import { ApiServer, type ServerOptions } from "./server.ts";

/** A server whose `/slow` is answered when `release` is called. */
function createSlowServer(changed: Partial<ServerOptions> = {}) {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: taken, resolve: take } = Promise.withResolvers<void>();
  let inFlight = 0;
  const app = express();
  app.get("/fast", (_req, res) => res.end("fast"));
  app.get("/slow", async (_req, res) => {
    inFlight++;
    take();
    await released;
    res.end("slow");
    inFlight--;
  });
  const options = { app, host: "127.0.0.1", port: 0, drainMs: 0, name: "api@test", events: new Events() };
  const server = new ApiServer({ ...options, inFlight: () => inFlight, ...changed });
  const get = (path: string) => fetch(`http://127.0.0.1:${server.address?.port}${path}`).then((res) => res.text());
  return { server, get, taken, release };
}

test("starts and stops, and stops again", async () => {
  const { server, get } = createSlowServer();
  await server.start();
  assert.equal(await get("/fast"), "fast");
  await server.stop();
  await server.stop();
  assert.equal(server.address, null);
});

test("stops without having started, and then does not start", async () => {
  const { server } = createSlowServer();
  await server.stop();
  await server.start();
  assert.equal(server.address, null);
});

test("stops while it starts", async () => {
  const { server } = createSlowServer();
  await Promise.all([server.start(), server.stop()]);
  assert.equal(server.address, null);
});

test("a port that is taken is an error that names it", async () => {
  const { server: first } = createSlowServer();
  await first.start();
  const { server: second } = createSlowServer({ port: first.address?.port ?? 0 });
  await assert.rejects(
    second.start(),
    (error) => error instanceof SettingError && /PORT \d+ .* in use/.test(error.message),
  );
  await second.stop();
  await first.stop();
});

test("serves new connections while it drains, and none after", async () => {
  const { server, get } = createSlowServer({ drainMs: 1_500 });
  await server.start();
  const { port } = server.address ?? {};
  const drained = server.drain();
  assert.equal(server.isDraining, true);
  assert.equal(await get("/fast"), "fast");
  await drained;
  await assert.rejects(fetch(`http://127.0.0.1:${port}/fast`));
  await server.stop();
});

test("drains only when the last request in flight is answered", async () => {
  const { server, get, taken, release } = createSlowServer();
  await server.start();
  const answer = get("/slow");
  await taken;
  let isDrained = false;
  const drained = server.drain().then(() => {
    isDrained = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(isDrained, false);
  release();
  assert.equal(await answer, "slow");
  await drained;
  await server.stop();
});

test("is not held by connections that nobody uses", async () => {
  const { server } = createSlowServer();
  await server.start();
  const port = server.address?.port ?? 0;
  const agent = new Agent({ keepAlive: true });
  await new Promise<void>((resolve) => {
    request({ port, path: "/fast", agent }, (res) => res.resume().on("end", resolve)).end();
  });
  const silent = connect(port, "127.0.0.1").on("error", () => {});
  await new Promise((resolve) => silent.once("connect", resolve));
  const startedAt = performance.now();
  await server.stop();
  assert.ok(performance.now() - startedAt < 10_000);
  agent.destroy();
  silent.destroy();
});
