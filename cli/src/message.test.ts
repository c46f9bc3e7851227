import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { WrongUsage } from "./failure.ts";
import { readMessage } from "./message.ts";
import type { Io } from "./settings.ts";

const given = (text: string) => ({ stdin: Readable.from([Buffer.from(text)]) }) as Partial<Io> as Io;

test("what looks like JSON and is none is wrong usage, as an argument and on standard input", async () => {
  await assert.rejects(readMessage("{add:1}", given("")), WrongUsage);
  await assert.rejects(readMessage("-", given("[1")), WrongUsage);
});

test("a dash reads the message from standard input, without the last line end", async () => {
  assert.deepEqual(await readMessage("-", given('{"add":\n1}\n')), { add: 1 });
  assert.equal(await readMessage("-", given("one\ntwo\r\n")), "one\ntwo");
  await assert.rejects(readMessage("-", given("\n")), /no message on standard input/);
});
