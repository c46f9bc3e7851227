import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { type Client, createClient, type ProcessDocument } from "./client.ts";

const seen: { line: string; body: unknown; key: string | string[] | undefined }[] = [];
const server = createServer(async (request, response) => {
  const body = await text(request);
  const line = `${request.method} ${request.url}`;
  seen.push({ line, body: body && JSON.parse(body), key: request.headers["idempotency-key"] });
  const answer = { deadLetters: [1], modules: [2], members: [3], status: "paused" };
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
});
let client: Client;

before(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  client = createClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});

after(async () => {
  await client.close();
  server.close();
});

const PID = "/v1/processes/room/1";
const document: ProcessDocument = {
  format: 1,
  pid: "room/1",
  status: "idle",
  moduleVersion: 1,
  revision: 1,
  turns: 1,
  state: {},
};
const cast = { pid: "room/1", message: 1, delayMs: 5 };

const ACTS: [line: string, body: unknown, act: () => Promise<unknown>][] = [
  [`POST ${PID}/pause`, {}, () => client.pause("room/1")],
  [`POST ${PID}/resume`, {}, () => client.resume("room/1")],
  [`POST ${PID}/unquarantine`, {}, () => client.unquarantine("room/1")],
  [`POST ${PID}/kill`, {}, () => client.kill("room/1")],
  [`POST ${PID}/kill`, { reason: "hung" }, () => client.kill("room/1", "hung")],
  [`GET ${PID}/mailbox`, "", () => client.mailbox("room/1")],
  [`GET ${PID}/mailbox?limit=5`, "", () => client.mailbox("room/1", { limit: 5 })],
  [`GET ${PID}/journal`, "", () => client.journal("room/1")],
  [`GET ${PID}/journal?from=2&limit=5`, "", () => client.journal("room/1", { from: 2, limit: 5 })],
  [`GET ${PID}/journal/state`, "", () => client.stateAt("room/1")],
  [`GET ${PID}/journal/state?at=7`, "", () => client.stateAt("room/1", 7)],
  [
    `GET ${PID}/journal/state?at=2030-01-01T00%3A00%3A00.000Z`,
    "",
    () => client.stateAt("room/1", new Date("2030-01-01T00:00:00Z")),
  ],
  [`POST ${PID}/mailbox/skip`, { messageId: "3-1" }, () => client.skip("room/1", "3-1")],
  [`GET ${PID}/dead-letters`, "", () => client.deadLetters("room/1")],
  [`POST ${PID}/dead-letters/3-1/retry`, {}, () => client.retryDeadLetter("room/1", "3-1")],
  [`POST ${PID}/dead-letters/retry`, {}, () => client.retryDeadLetters("room/1")],
  [`DELETE ${PID}/dead-letters/3-1`, "", () => client.dropDeadLetter("room/1", "3-1")],
  [`DELETE ${PID}/dead-letters`, "", () => client.dropDeadLetters("room/1")],
  ["POST /v1/batch", { casts: [cast] }, () => client.batch([cast])],
  [
    "POST /v1/bulk",
    { action: "kill", filter: { tag: "old" }, dryRun: true, reason: "old", cursor: "c" },
    () => client.bulk("kill", { tag: "old" }, { dryRun: true, reason: "old", cursor: "c" }),
  ],
  ["POST /v1/bulk", { action: "pause", filter: { all: true } }, () => client.bulk("pause", { all: true })],
  [`GET ${PID}/export`, "", () => client.export("room/1")],
  ["POST /v1/processes/import", { document }, () => client.import(document)],
  [
    "POST /v1/processes/import",
    { document, pid: "room/2", ifExists: "replace" },
    () => client.import(document, { pid: "room/2", ifExists: "replace" }),
  ],
  ["GET /v1/groups/a%2Fb?limit=5&cursor=c", "", () => client.members("a/b", { limit: 5, cursor: "c" })],
  ["POST /v1/groups/all/publish", { message: [1] }, () => client.publish("all", [1])],
  ["GET /v1/modules", "", () => client.modules()],
  ["GET /v1/modules/room/migration?dryRun=true", "", () => client.tryMigration("room")],
  ["GET /v1/processes?tag=a&owner=w", "", () => client.list({ tag: "a", owner: "w" })],
];

test("each act is one request, and every POST has a key", async () => {
  for (const [line, body, act] of ACTS) {
    await act();
    const last = seen.at(-1);
    assert.deepEqual([last?.line, last?.body], [line, body]);
    assert.equal(last?.key !== undefined, line.startsWith("POST"), line);
  }
  await client.pause("room/1", { idempotencyKey: "mine" });
  assert.equal(seen.at(-1)?.key, "mine");
});

test("lists come without what is around them", async () => {
  assert.deepEqual(await client.deadLetters("room/1"), [1]);
  assert.deepEqual(await client.modules(), [2]);
  assert.deepEqual((await client.members("all")).members, [3]);
});
