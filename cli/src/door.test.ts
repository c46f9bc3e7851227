import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable, Writable } from "node:stream";
import { test } from "node:test";
import { EXIT_CODES } from "./failure.ts";
import { run } from "./run.ts";

type Serve = (request: IncomingMessage, response: ServerResponse) => void;

/** A run against a server that answers the requests one after the other, each in its way. */
async function runAgainst(answers: Serve[], ...args: string[]) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answers.shift()?.(request, response);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const written = { stdout: "", stderr: "" };
  const into = (name: keyof typeof written) =>
    new Writable({
      write(chunk, _encoding, done) {
        written[name] += chunk;
        done();
      },
    });
  const env = { GENSERVERLESS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  try {
    const code = await run(args, { stdin: Readable.from([]), stdout: into("stdout"), stderr: into("stderr"), env });
    return { code, ...written, requests };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const answer =
  (status: number, body: object): Serve =>
  (_request, response) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

test("work whose answer is lost is posted again under the same key", async () => {
  const lost: Serve = (_request, response) => response.destroy();
  const accepted = answer(200, { callback: "AB", status: "accepted" });
  const { code, stdout, requests } = await runAgainst([lost, answer(503, {}), accepted], "work", "post", "foo");
  assert.deepEqual([code, stdout], [EXIT_CODES.ok, "AB accepted\n"]);
  const keys = requests.map(({ headers }) => headers["idempotency-key"]);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.match(String(keys[0]), /^[\da-f-]{36}$/);
});

test("a refusal of the work queue is told in its own words", async () => {
  const refused = await runAgainst([answer(400, { error: "POST body is NOT well-formed" })], "work", "post", "foo");
  assert.deepEqual([refused.code, refused.stderr], [1, "genserverless: http_400: POST body is NOT well-formed\n"]);
  const unknown = await runAgainst([answer(404, { status: "404. not found!" })], "work", "status", "AB");
  assert.deepEqual([unknown.code, unknown.stderr], [1, "genserverless: http_404: 404. not found!\n"]);
});

test("a stream that does not begin within --timeout is given up", async () => {
  const { code, stderr, requests } = await runAgainst([() => {}], "logs", "--timeout", "100ms");
  assert.deepEqual([code, requests.length], [EXIT_CODES.timedOut, 1]);
  assert.match(stderr, /no answer within --timeout/);
});

test("a stream that has begun may last longer than --timeout", async () => {
  const slow: Serve = (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": here\n\n");
    const entry = { id: "1-0", time: "2026-03-01T12:00:00Z", level: "info", node: "api@vm-1", msg: "late" };
    setTimeout(() => response.end(`id: 1-0\nevent: log\ndata: ${JSON.stringify(entry)}\n\n`), 300);
  };
  const { code, stdout } = await runAgainst([slow], "logs", "--timeout", "100ms");
  assert.equal(code, EXIT_CODES.ok);
  assert.match(stdout, /late/);
});
