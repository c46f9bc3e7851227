import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { after, test } from "node:test";
import { Redis } from "ioredis";
import { assertNoChildLeft } from "./child.ts";
import { RedisServer, type RedisServerOptions } from "./redis-server.ts";
import { until } from "./until.ts";

after(assertNoChildLeft);

async function withServer(options: RedisServerOptions, use: (server: RedisServer) => Promise<void>): Promise<void> {
  const server = new RedisServer(options);
  await server.start();
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

test("what was written with AOF always survives a kill, on the same port", async () => {
  await withServer({ appendfsync: "always" }, async (server) => {
    const { port } = server;
    const client = server.connect();
    await client.set("kept", "1");
    await server.kill();
    assert.equal(server.isAlive, false);
    await server.restart();
    assert.equal(server.port, port);
    assert.equal(await client.get("kept"), "1");
  });
});

test("a restart from a copy of the file comes back with what was true then", async () => {
  await withServer({ appendfsync: "always" }, async (server) => {
    const client = server.connect();
    await client.set("counter", 1);
    const copy = await server.snapshotAof();
    await client.set("counter", 2);
    await server.restart({ from: copy });
    assert.equal(await client.get("counter"), "1");
  });
});

test("a password is asked for, and the url carries it", async () => {
  await withServer({ password: "p@ss/word" }, async (server) => {
    assert.equal(await server.connect().ping(), "PONG");
    const stranger = new Redis(server.port, { enableReadyCheck: false, protocol: 2 });
    await assert.rejects(stranger.ping(), /NOAUTH/);
    stranger.disconnect();
  });
});

test("a full server refuses writes and keeps what it has", async () => {
  await withServer({ maxmemory: "4mb" }, async (server) => {
    const client = server.connect();
    await client.set("kept", "1");
    const fill = async () => {
      for (let n = 0; ; n++) await client.set(`filler-${n}`, "x".repeat(100_000));
    };
    await assert.rejects(fill(), /OOM/);
    assert.equal(await client.get("kept"), "1");
  });
});

test("a paused server answers nobody until it is resumed", async () => {
  await withServer({}, async (server) => {
    const client = server.connect();
    await client.ping();
    await server.pause();
    let answered = false;
    const pong = client.ping().then(() => {
      answered = true;
    });
    await assert.rejects(until(() => answered, { withinMs: 100 }));
    server.resume();
    await pong;
  });
});

test("stop is safe twice and without start, and leaves no folder", async () => {
  const server = new RedisServer();
  await server.stop();
  await server.start();
  const folder = dirname(await server.snapshotAof());
  await server.stop();
  await server.stop();
  assert.equal(existsSync(folder), false);
});
