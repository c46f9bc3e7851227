import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setDefaultCACertificates } from "node:tls";
import { Endpoint } from "./endpoint.ts";
import { signAnswer } from "./signature.ts";
import { HEADERS } from "./wire.ts";

const SECRET = "a-secret-of-both-sides";
const REQUEST = { method: "POST", body: '{"n":1}', withinMs: 5_000 } as const;
const DONE = { status: 200, body: { done: true } };

test("GS-9 a redirect is not followed: it is an answer, and not a signed one", async (t) => {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    asked.push(String(req.url));
    res.writeHead(req.url === "/app" ? 307 : 200, { location: "/elsewhere" }).end();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const endpoint = new Endpoint(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/app`), SECRET);
  t.after(async () => {
    await endpoint.close();
    server.close();
  });
  await assert.rejects(endpoint.send(REQUEST), /answered 307, and the answer is not signed$/);
  assert.deepEqual(asked, ["/app"]);
});

test("GS-9 over HTTP/2 requests share a connection, and each has the answer of its own", async (t) => {
  const { endpoint, sessions } = await openHttp2(t, (_req, answer) => answer());
  assert.deepEqual(await endpoint.send(REQUEST), DONE);
  const answers = await Promise.all(Array.from({ length: 20 }, () => endpoint.send(REQUEST)));
  assert.deepEqual(answers, Array(20).fill(DONE));
  assert.equal(sessions.length, 1);
});

test("GS-9 over HTTP/2 what was under way when the connection broke fails, and is not sent again", async (t) => {
  let under = 0;
  const { endpoint, sessions } = await openHttp2(t, (_req, answer) => {
    if (++under === 1) answer();
    else if (under === 5) sessions[0]?.destroy();
  });
  await endpoint.send(REQUEST);
  const ends = await Promise.allSettled(Array.from({ length: 4 }, () => endpoint.send(REQUEST)));
  for (const end of ends) assert.match(String((end as PromiseRejectedResult).reason), /other side closed|closed/);
  assert.equal(under, 5);
});

test("GS-9 over HTTP/2 what a server that leaves has not taken is sent again, and what it has taken is answered", async (t) => {
  const taken: (() => void)[] = [];
  const { endpoint, sessions } = await openHttp2(t, (req, answer) => {
    const { session } = req.stream;
    if (session !== sessions[0]) return answer();
    taken.push(answer);
    if (taken.length === 1) return answer();
    if (taken.length < 4) return;
    // It has taken the second request, of stream 3, and says that it looks at none after that.
    session?.goaway(0, 3);
    taken[1]?.();
  });
  await endpoint.send(REQUEST);
  const answers = await Promise.all(Array.from({ length: 3 }, () => endpoint.send(REQUEST)));
  assert.deepEqual(answers, Array(3).fill(DONE));
  assert.equal(sessions.length, 2);
});

test("GS-9 over HTTP/2 a connection on which an answer was late is used no more", async (t) => {
  let taken = 0;
  const { endpoint, sessions } = await openHttp2(t, (req, answer) => {
    if (++taken === 1 || req.stream.session !== sessions[0]) answer();
  });
  await endpoint.send(REQUEST);
  await assert.rejects(endpoint.send({ ...REQUEST, withinMs: 300 }), { isLate: true });
  assert.deepEqual(await endpoint.send(REQUEST), DONE);
});

type Take = (req: Http2ServerRequest, answer: () => void) => void;

/** A server that nobody has certified but this process; `take` gets each request, and what answers it. */
async function openHttp2(t: TestContext, take: Take) {
  const { key, cert } = makeCertificate();
  setDefaultCACertificates([cert]);
  const sessions: ServerHttp2Session[] = [];
  const server = createSecureServer({ key, cert }, (req, res) => {
    req.resume();
    take(req, () => answerDone(req, res));
  });
  server.on("session", (session) => sessions.push(session));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const endpoint = new Endpoint(new URL(`https://localhost:${(server.address() as AddressInfo).port}/app`), SECRET);
  t.after(async () => {
    await endpoint.close();
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { endpoint, sessions };
}

function answerDone(req: Http2ServerRequest, res: Http2ServerResponse): void {
  const body = JSON.stringify(DONE.body);
  res.setHeader(HEADERS.signature, signAnswer(SECRET, String(req.headers[HEADERS.nonce]), 200, body));
  res.end(body);
}

function makeCertificate(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "certificate-"));
  const files = ["-keyout", join(folder, "key"), "-out", join(folder, "cert")];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  try {
    execFileSync("openssl", ["req", "-x509", ...curve, ...files, ...names], { stdio: "ignore" });
    return { key: readFileSync(join(folder, "key"), "utf8"), cert: readFileSync(join(folder, "cert"), "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
