import assert from "node:assert/strict";
import type { Http2Session } from "node:http2";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { until } from "../../../test/tools/until.ts";
import { Connection } from "./connection.ts";

const asTheyAre = { write: (bytes: Buffer) => bytes, read: (bytes: Buffer) => bytes };
const METHOD = { path: "/a.Service/Method", request: asTheyAre, response: asTheyAre };
const SOON = { withinMs: 10_000 };

test("there are as many connections as the streams take, and one when these have ended", async () => {
  const sessions = new Set<Http2Session>();
  let streams = 0;
  const server = createServer()
    .on("session", (session) => {
      sessions.add(session);
      session.on("close", () => sessions.delete(session));
    })
    .on("stream", (stream: ServerHttp2Stream) => {
      streams += 1;
      stream.on("close", () => (streams -= 1)).on("error", () => {});
    });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const connection = new Connection(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    const open = () => connection.open<Buffer, Buffer>(METHOD).on("error", () => {});
    const opened = Array.from({ length: 250 }, open);
    await until(() => streams === 250, { ...SOON, what: "all streams are open" });
    assert.equal(sessions.size, 3);
    for (const stream of opened) stream.cancel();
    await until(() => sessions.size === 1, { ...SOON, what: "the surplus is closed" });
    open();
    await until(() => streams === 1, { ...SOON, what: "a new stream is opened" });
    assert.equal(sessions.size, 1);
  } finally {
    connection.close();
    for (const session of sessions) session.destroy();
    server.close();
  }
});
