import assert from "node:assert/strict";
import { test } from "node:test";
import { createHostCheck, readAllowedHosts } from "./hosts.ts";

const OWN = [
  "127.0.0.1",
  "10.0.0.7:3000",
  "[::1]:5984",
  "[fe80::1]",
  "localhost:8080",
  "LOCALHOST",
  "lb:8080",
  "my_api",
];
const FOREIGN = ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "1.2.3", "999.0.0.1", "localhost."];
const MALFORMED = ["", "[::1", "[]", "[1.2.3.4]", "a b", "a@b", "a:b", "a:123456", "a/b", "x".repeat(256)];

test("an address, a name without a dot and no Host at all are the server's own", () => {
  const isOwn = createHostCheck();
  assert.equal(isOwn(undefined), true);
  for (const _ of ["read", "remembered"]) for (const host of OWN) assert.equal(isOwn(host), true, host);
});

test("a name with a dot is not, unless it is allowed, at whatever port", () => {
  const isOwn = createHostCheck(["console.example"]);
  for (const _ of ["read", "remembered"]) for (const host of FOREIGN) assert.equal(isOwn(host), false, host);
  assert.equal(isOwn("Console.Example:443"), true);
  assert.equal(isOwn("x.console.example"), false);
});

test("what is no host is not", () => {
  const isOwn = createHostCheck();
  for (const host of MALFORMED) assert.equal(isOwn(host), false, host);
});

test("many hosts do not change what is found", () => {
  const isOwn = createHostCheck(["a.example"]);
  for (let number = 0; number < 2_500; number++) assert.equal(isOwn(`h${number}.example`), false);
  assert.equal(isOwn("a.example"), true);
});

test("ALLOWED_HOSTS is a list of names", () => {
  assert.deepEqual(readAllowedHosts({}), []);
  assert.deepEqual(readAllowedHosts({ ALLOWED_HOSTS: " A.example, b.example ,," }), ["a.example", "b.example"]);
  for (const bad of ["http://a.example", "a.example:80", "*"])
    assert.throws(() => readAllowedHosts({ ALLOWED_HOSTS: bad }), /ALLOWED_HOSTS must be names like/);
});
