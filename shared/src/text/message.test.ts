import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMessage } from "./message.ts";

test("a message is JSON, and a text where it is none", () => {
  const messages = ['{"add":1}', "[1]", '"10"', "10", "-5", "null", "true", "total", "two words", "", "1,5", "nul"];
  const expected = [{ add: 1 }, [1], "10", 10, -5, null, true, "total", "two words", "", "1,5", "nul"];
  assert.deepEqual(messages.map(parseMessage), expected);
});

test("what begins like an object, a list or a quoted text and is no JSON is a mistake, told in printable characters", () => {
  for (const text of ["{add:1}", "[1", '"total', ' {"a":}', "{\x1b[2J}"]) {
    assert.throws(() => parseMessage(text), /^SyntaxError: the message looks like JSON and is none: [^\p{C}]+$/u);
  }
});
