import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { PushDoor } from "./push.ts";

/** What the cluster would answer. */
interface Problem {
  status: number;
  code: string;
}

async function open(t: TestContext, problem: Problem = { status: 404, code: "no_process" }) {
  const asked: { path: string; body: unknown }[] = [];
  const server = createServer(async (req, res) => {
    const text = (await req.toArray()).join("");
    asked.push({ path: String(req.url), body: JSON.parse(text) });
    res.writeHead(problem.status, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const cluster = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const logged: Record<string, unknown>[] = [];
  const door = new PushDoor({ cluster, token: "t" }, (fields) => logged.push(fields));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const push = (e: unknown, n: unknown, data?: string, target = "/x?token=t") =>
    door.take({ message: { attributes: { v: "1", e, n }, ...(data !== undefined && { data }) } }, target);
  return { push, asked, logged };
}

test("GS-10 only texts name what to do", async (t) => {
  const { push, asked } = await open(t);
  for (const verb of [["cast"], ["stop"], { toString: 1 }, null, "constructor", "__proto__"]) {
    assert.equal(await push(verb, "a/b"), "unrecognized", JSON.stringify(verb));
  }
  assert.deepEqual(asked, []);
});

test("GS-10 a name that is no pid is refused for good, and nothing is asked of the cluster", async (t) => {
  const { push, asked, logged } = await open(t);
  for (const name of ["a/b/c", "a/..", "/", "a/", "../v1", "a/b?x", "a"]) {
    for (const verb of ["start", "cast", "stop"]) assert.equal(await push(verb, name), "handled", name);
  }
  assert.deepEqual(asked, []);
  assert.ok(logged.every(({ detail }) => /no pid/.test(String(detail))));
});

test("GS-10 data that is empty is none", async (t) => {
  const { push, asked } = await open(t);
  assert.equal(await push("cast", "a/b", ""), "handled");
  assert.deepEqual(asked, [{ path: "/v1/processes/a/b/cast", body: { message: null } }]);
});

test("GS-10 what the cluster may take later is pushed again: an app that it does not know yet, a token that is wrong", async (t) => {
  const later: Problem[] = [
    { status: 404, code: "unknown_module" },
    { status: 401, code: "unauthorized" },
    { status: 403, code: "http_403" },
    { status: 429, code: "mailbox_full" },
  ];
  for (const problem of later) {
    const { push } = await open(t, problem);
    const verdict = await push("start", "a/b");
    assert.deepEqual(typeof verdict === "object" && [verdict.status, verdict.code], [503, "push_undone"], problem.code);
  }
  for (const code of ["no_process", "already_started", "invalid_message"]) {
    const { push } = await open(t, { status: code === "no_process" ? 404 : 422, code });
    assert.equal(await push("cast", "a/b"), "handled", code);
  }
});

test("GS-10 a token that is empty is none", async () => {
  const body = { message: { attributes: { v: "1", e: "ready", n: "a/b" } } };
  const door = new PushDoor({ token: "" }, () => {});
  for (const target of ["/x", "/x?token", "/x?token="]) {
    const verdict = await door.take(body, target);
    assert.equal(typeof verdict === "object" && verdict.status, 401, target);
  }
});

test("GS-10 a target that is no URL has no token", async (t) => {
  const { push, asked } = await open(t);
  for (const target of ["//", "//[", "http://[/x", "", "/x", "/x?token", "/x?tokens=t", "/x#?token=tt"]) {
    const verdict = await push("cast", "a/b", undefined, target);
    assert.equal(typeof verdict === "object" && verdict.status, 401, target);
  }
  assert.deepEqual(asked, []);
});
