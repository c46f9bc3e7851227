import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readEvents, type ServerEvent } from "./event-stream.ts";

const STREAM =
  ': here\n\nid: 1-0\nevent: log\ndata: {"msg":"é 🚀"}\n\n: still here\n\nid: 2-0\nevent: log\ndata: a\ndata: b\n\n';
const EVENTS: ServerEvent[] = [
  { id: "1-0", event: "log", data: '{"msg":"é 🚀"}' },
  { id: "2-0", event: "log", data: "a\nb" },
];

async function* cutAt(bytes: Buffer, cuts: number[]) {
  let from = 0;
  for (const cut of [...cuts, bytes.length].toSorted((a, b) => a - b)) {
    yield bytes.subarray(from, cut);
    from = cut;
  }
}

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of readEvents(bytes)) events.push(event);
  return events;
}

test("events are the same wherever the bytes are cut, and comments are none", async () => {
  const bytes = Buffer.from(STREAM);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length)), async (cuts) => {
      assert.deepEqual(await collect(cutAt(bytes, cuts)), EVENTS);
    }),
  );
});

test("an event that the end of the bytes cuts off is none", async () => {
  assert.deepEqual(await collect(cutAt(Buffer.from("id: 1\ndata: x\n\nid: 2\ndata: y\n"), [])), [
    { id: "1", event: "message", data: "x" },
  ]);
});
