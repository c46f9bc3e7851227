import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { EventStream, type EventStreamOptions, readLastEventId } from "./event-stream.ts";

/** A server's answer, as a stream, and what its reader is told of it. */
async function openStream(t: TestContext, options: EventStreamOptions = {}) {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const reader = connect((server.address() as AddressInfo).port, "127.0.0.1");
  reader.on("error", () => {}).write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  const [, res] = (await once(server, "request")) as [unknown, ServerResponse];
  return { reader, res, open: () => new EventStream(res, options) };
}

async function readAll(reader: NodeJS.ReadableStream, until: RegExp): Promise<string> {
  let text = "";
  for await (const chunk of reader) {
    text += chunk;
    if (until.test(text)) break;
  }
  return text;
}

test("an event is told with its id and its data as JSON, which no text of it can break", async (t) => {
  const { reader, open } = await openStream(t, { headers: { "x-served-by": "api@test" } });
  const stream = open();
  stream.send({ event: "log", id: "1-0", data: "a\n\nevent: forged" });
  stream.end();
  const text = await readAll(reader, /0\r\n\r\n$/);
  assert.match(text, /^HTTP\/1.1 200 .*content-type: text\/event-stream\r\n.*x-served-by: api@test\r\n/s);
  assert.match(text, /event: log\nid: 1-0\ndata: "a\\n\\nevent: forged"\n\n/);
});

test("what is sent after the end is dropped, also while the reader has not taken what came before", async (t) => {
  const { reader, res, open } = await openStream(t);
  const stream = open();
  reader.pause();
  const errors: unknown[] = [];
  res.on("error", (error) => errors.push(error));
  while (!stream.isBehind) stream.send({ event: "log", data: "x".repeat(1024 * 1024) });
  stream.end();
  assert.equal(stream.isOpen, false);
  stream.send({ event: "log", data: "late" });
  stream.end();
  assert.doesNotMatch(await readAll(reader.resume(), /\n0\r\n\r\n$/), /late/);
  assert.deepEqual(errors, []);
});

test("a reader that may no longer listen is told nothing more, and so where that cannot be said", async (t) => {
  for (const refuse of [() => false, () => assert.fail("not now")]) {
    let mayListen: () => boolean = () => true;
    const { reader, open } = await openStream(t, { mayListen: () => mayListen() });
    const stream = open();
    stream.send({ event: "log", data: "first" });
    mayListen = refuse;
    stream.send({ event: "log", data: "second" });
    assert.equal(stream.isOpen, false);
    const text = await readAll(reader, /\n0\r\n\r\n$/);
    assert.match(text, /first/);
    assert.doesNotMatch(text, /second/);
  }
});

test("a reader that stays far behind is cut off, and one that is sent much at once is not", async (t) => {
  const [patient, hasty] = [await openStream(t), await openStream(t, { mostBehindMs: 200 })];
  for (const { reader } of [patient, hasty]) reader.pause();
  const [atOnce, stays] = [patient.open(), hasty.open()];
  const send = (stream: EventStream) => stream.send({ event: "log", data: "x".repeat(1024 * 1024) });
  for (let sentMiB = 0; sentMiB < 16; sentMiB++) for (const stream of [atOnce, stays]) send(stream);
  assert.ok(atOnce.isOpen);
  await t.waitFor(
    () => {
      send(stays);
      assert.equal(stays.isOpen, false);
    },
    { timeout: 10_000 },
  );
});

test("a stream whose reader has left before it began is closed, and tells that at once", async (t) => {
  const { reader, res, open } = await openStream(t);
  reader.destroy();
  await once(res, "close");
  const stream = open();
  stream.send({ event: "log", data: "nobody is there" });
  let isTold = false;
  stream.onClose(() => {
    isTold = true;
  });
  assert.deepEqual([stream.isOpen, isTold, res.headersSent], [false, true, false]);
});

test("an id to resume after is one of a stream's entry", () => {
  assert.equal(readLastEventId("1700000000000-0"), "1700000000000-0");
  for (const none of [undefined, ""]) assert.equal(readLastEventId(none), undefined);
  for (const odd of ["yesterday", "1700000000000", "-", ["1-0", "2-0"], { a: "1-0" }, "1-0\n", `${"9".repeat(16)}-0`]) {
    assert.throws(() => readLastEventId(odd), { code: "invalid_request" }, JSON.stringify(odd));
  }
});
