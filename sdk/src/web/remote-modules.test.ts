import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { RemoteModules } from "./remote-modules.ts";
import { makeRulesModule } from "./rules.ts";
import { signAnswer } from "./signature.ts";
import { HEADERS } from "./wire.ts";

const SECRET = "a-secret-of-both-sides";

test("GS-9 apps that differ in their query only are two: a name stays with the first", async (t) => {
  const rules = { turnTimeoutMs: 1_000 };
  const server = createServer((req, res) => {
    const version = req.url === "/app?copy=1" ? 1 : 2;
    const body = JSON.stringify({ v: 1, modules: [{ name: "m", version, rules, callbacks: ["init"], handlers: {} }] });
    const signature = signAnswer(SECRET, String(req.headers[HEADERS.nonce]), 200, body);
    res.setHeader(HEADERS.signature, signature).end(body);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const none = new Map();
  const errors: string[] = [];
  const remotes = new RemoteModules({
    urls: [1, 2].map((copy) => new URL(`http://127.0.0.1:${port}/app?copy=${copy}`)),
    secret: SECRET,
    local: () => none,
    make: makeRulesModule,
    onChange: () => {},
    onError: ({ message }) => errors.push(message),
    onAway: (error) => assert.fail(error),
  });
  t.after(async () => {
    await remotes.stop();
    server.close();
    server.closeAllConnections();
  });
  await remotes.load();
  assert.equal(remotes.all.get("m")?.version, 1);
  assert.equal(errors.length, 1);
  assert.match(String(errors[0]), /^the module "m" of .* is also in .*, and that one is used$/);
});
