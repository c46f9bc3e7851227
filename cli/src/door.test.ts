import assert from "node:assert/strict";
import { test } from "node:test";
import { EXIT_CODES } from "./failure.ts";
import { answer, runAgainst, type Serve } from "./run.test-support.ts";

test("work whose answer is lost is posted again under the same key", async () => {
  const lost: Serve = (_request, response) => response.destroy();
  const accepted = answer(200, { callback: "AB", status: "accepted" });
  const { code, stdout, requests } = await runAgainst([lost, answer(503, {}), accepted], {}, "work", "post", "foo");
  assert.deepEqual([code, stdout], [EXIT_CODES.ok, "AB accepted\n"]);
  const keys = requests.map(({ headers }) => headers["idempotency-key"]);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.match(String(keys[0]), /^[\da-f-]{36}$/);
});

test("a refusal of the work queue is told in its own words", async () => {
  const refused = await runAgainst([answer(400, { error: "POST body is NOT well-formed" })], {}, "work", "post", "foo");
  assert.deepEqual([refused.code, refused.stderr], [1, "genserverless: http_400: POST body is NOT well-formed\n"]);
  const unknown = await runAgainst([answer(404, { status: "404. not found!" })], {}, "work", "status", "AB");
  assert.deepEqual([unknown.code, unknown.stderr], [1, "genserverless: http_404: 404. not found!\n"]);
});

test("a stream that does not begin within --timeout is given up", async () => {
  const { code, stderr, requests } = await runAgainst([() => {}], {}, "logs", "--timeout", "1s");
  assert.deepEqual([code, requests.length], [EXIT_CODES.timedOut, 1]);
  assert.match(stderr, /no answer within --timeout/);
});

test("a stream that has begun may last longer than --timeout", async () => {
  const slow: Serve = (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": here\n\n");
    const entry = { id: "1-0", time: "2026-03-01T12:00:00Z", level: "info", node: "api@vm-1", msg: "late" };
    setTimeout(() => response.end(`id: 1-0\nevent: log\ndata: ${JSON.stringify(entry)}\n\n`), 1_200);
  };
  const { code, stdout } = await runAgainst([slow], {}, "logs", "--timeout", "1s");
  assert.equal(code, EXIT_CODES.ok);
  assert.match(stdout, /late/);
});
