import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { parseMessage, readMessage } from "./message.ts";
import type { Io } from "./settings.ts";

const given = (text: string) => ({ stdin: Readable.from([Buffer.from(text)]) }) as Partial<Io> as Io;

test("a message is JSON, and a text where it is none", () => {
  const messages = ['{"add":1}', "[1]", '"10"', "10", "-5", "null", "true", "total", "two words", "", "1,5", "nul"];
  const expected = [{ add: 1 }, [1], "10", 10, -5, null, true, "total", "two words", "", "1,5", "nul"];
  assert.deepEqual(messages.map(parseMessage), expected);
});

test("what begins like an object, a list or a quoted text and is no JSON is a mistake", () => {
  for (const text of ["{add:1}", "[1", '"total', ' {"a":}']) {
    assert.throws(() => parseMessage(text), /looks like JSON and is none/);
  }
});

test("a dash reads the message from standard input, without the last line end", async () => {
  assert.deepEqual(await readMessage("-", given('{"add":\n1}\n')), { add: 1 });
  assert.equal(await readMessage("-", given("one\ntwo\r\n")), "one\ntwo");
  await assert.rejects(readMessage("-", given("\n")), /no message on standard input/);
});
