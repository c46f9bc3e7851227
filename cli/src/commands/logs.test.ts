import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable, Writable } from "node:stream";
import { afterEach, test } from "node:test";
import type { LogEntry } from "@genserverless/shared/logs/log-entry.ts";
import { run } from "../run.ts";
import { describeEntry, logsPath } from "./logs.ts";

const plain = { paint: (_style: string, text: string) => text };
const entry: LogEntry = {
  id: "1-0",
  time: "2026-03-01T12:00:00.123Z",
  level: "info",
  node: "worker@vm-1",
  msg: "accumulator cast",
};

test("an entry is one line: when, how grave, where, about whom, what, and its fields", () => {
  const told = { ...entry, pid: "accumulator/alice", module: "accumulator", val: 10, why: "two words", deep: { a: 1 } };
  const head = "2026-03-01T12:00:00.123Z info  worker@vm-1 accumulator/alice accumulator cast";
  assert.deepEqual(describeEntry(plain, told), [`${head} val=10 why="two words" deep={"a":1}`]);
  const failed = { ...entry, stack: ["Error: as asked", "    at one", "    at \x1btwo"] };
  assert.deepEqual(describeEntry(plain, failed).slice(1), ["    at one", "    at ?two"]);
});

test("what a process logs moves no cursor", () => {
  const [line = ""] = describeEntry(plain, { ...entry, msg: "a\x1b[2J\nb", "\x1bname": "\u202e" });
  assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u);
});

test("the filter goes into the query, each part once", () => {
  assert.equal(logsPath(undefined, { tail: 50 }), "/v1/logs?tail=50&follow=false");
  const flags = { tail: 5, follow: true, module: "stack", node: "api@vm-1", level: "warn" } as const;
  assert.equal(
    logsPath("stack/a", flags),
    "/v1/logs?pid=stack%2Fa&module=stack&node=api%40vm-1&level=warn&tail=5&follow=true",
  );
});

/** Answers the requests one after the other, each in its way. */
const server = createServer();
afterEach(() => void server.removeAllListeners("request"));

async function follow(...answers: ((req: IncomingMessage, res: ServerResponse) => void)[]) {
  server.on("request", (req, res) => answers.shift()?.(req, res));
  if (!server.listening) await once(server.listen(0, "127.0.0.1"), "listening");
  server.unref();
  let written = "";
  const stream = () =>
    new Writable({
      write(chunk, _encoding, done) {
        written += chunk;
        done();
      },
    });
  const env = { GENSERVERLESS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  const io = { stdin: Readable.from([]), stdout: stream(), stderr: stream(), env };
  return { code: await run(["logs", "--follow", "--json"], io), written };
}

function send(res: ServerResponse, id: string): void {
  res.writeHead(200, { "content-type": "text/event-stream" });
  res.write(`: here\n\nid: ${id}\nevent: log\ndata: ${JSON.stringify({ ...entry, id })}\n\n`);
}

test("a connection that breaks is made anew, behind the last entry, as often as it takes", async () => {
  const resumed: unknown[] = [];
  const { code, written } = await follow(
    (_req, res) => {
      send(res, "1-0");
      setImmediate(() => res.destroy());
    },
    (req, res) => {
      resumed.push(req.headers["last-event-id"]);
      res.writeHead(503).end();
    },
    (req, res) => {
      resumed.push(req.headers["last-event-id"]);
      send(res, "2-0");
      res.end();
    },
    (req, res) => {
      resumed.push(req.headers["last-event-id"]);
      res.writeHead(401).end();
    },
  );
  assert.deepEqual(resumed, ["1-0", "1-0", "2-0"]);
  assert.deepEqual(
    [...written.matchAll(/"id":"(.-0)"/g)].map(([, id]) => id),
    ["1-0", "2-0"],
  );
  assert.equal(written.match(/trying again/g)?.length, 1);
  assert.equal(code, 5);
});

test("a cluster that cannot be reached at first is told, and not asked again", async () => {
  const { code } = await follow((_req, res) => res.writeHead(503).end());
  assert.equal(code, 3);
});
