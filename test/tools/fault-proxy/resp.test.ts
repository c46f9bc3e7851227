import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Command, FrameCutter, readTexts } from "./resp.ts";

const FRAMES = [
  "+OK\r\n",
  "-ERR wrong\r\n",
  ":42\r\n",
  "$5\r\nhe\r\no\r\n",
  "$-1\r\n",
  "$0\r\n\r\n",
  "*-1\r\n",
  "*0\r\n",
  "*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
  "*3\r\n*1\r\n:1\r\n$-1\r\n+x\r\n",
  "_\r\n",
  "#t\r\n",
  ",3.14\r\n",
  "(12345678901234567890\r\n",
  "=7\r\ntxt:abc\r\n",
  "!3\r\nERR\r\n",
  "~2\r\n:1\r\n:2\r\n",
  "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n",
  "|1\r\n+ttl\r\n:9\r\n$1\r\nv\r\n",
  ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n",
  "PING\r\n",
];

test("frames come out whole and in order, however the stream is cut into chunks", () => {
  const frames = fc.array(fc.constantFrom(...FRAMES), { minLength: 1, maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(frames, cuts, (sent, sizes) => {
      const stream = Buffer.from(sent.join(""));
      const cutter = new FrameCutter();
      const received: string[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        received.push(...cutter.push(stream.subarray(at, at + size)).map(String));
        at += size;
      }
      assert.deepEqual(received, sent);
    }),
  );
});

test("a command knows its name and its words", () => {
  const command = new Command(Buffer.from("*3\r\n$7\r\nevalsha\r\n$2\r\nab\r\n$4\r\ngr\u00fc\r\n"));
  assert.equal(command.name, "EVALSHA");
  assert.deepEqual(command.words, ["evalsha", "ab", "gr\u00fc"]);
  assert.deepEqual(new Command(Buffer.from("ping  now\r\n")).words, ["ping", "now"]);
});

test("the leading texts of an answer end where something else begins", () => {
  assert.deepEqual(readTexts(Buffer.from("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")), ["subscribe", "c"]);
  assert.deepEqual(readTexts(Buffer.from("*2\r\n:1\r\n:2\r\n")), []);
});
