import assert from "node:assert/strict";
import { test } from "node:test";
import { isAnswerSigned, RequestCheck, signAnswer, signRequest, WINDOW_MS } from "./signature.ts";
import { HEADERS } from "./wire.ts";

const SECRET = "sixteen characters";
const PARTS = { method: "POST", target: "/genserverless?x=1", body: '{"v":1}' };

function headerOf(headers: Record<string, string>) {
  return (name: string) => headers[name];
}

test("GS-9 a request that is rightly signed counts once", () => {
  const check = new RequestCheck(SECRET);
  const headers = signRequest(SECRET, PARTS);
  assert.equal(check.findFault(PARTS, headerOf(headers)), undefined);
  assert.equal(check.findFault(PARTS, headerOf(headers)), "signature_replayed");
  assert.equal(check.findFault(PARTS, headerOf(signRequest(SECRET, PARTS))), undefined);
});

test("GS-9 a signature covers method, path, query, time, nonce and body", () => {
  const headers = signRequest(SECRET, PARTS);
  const others = [
    { ...PARTS, method: "PUT" },
    { ...PARTS, target: "/genserverless?x=2" },
    { ...PARTS, target: "/other?x=1" },
    { ...PARTS, body: '{"v":1} ' },
  ];
  const check = new RequestCheck(SECRET);
  for (const other of others) assert.equal(check.findFault(other, headerOf(headers)), "signature_wrong");
  const time = String(Number(headers[HEADERS.timestamp]) + 1);
  assert.equal(check.findFault(PARTS, headerOf({ ...headers, [HEADERS.timestamp]: time })), "signature_wrong");
  assert.equal(check.findFault(PARTS, headerOf({ ...headers, [HEADERS.nonce]: "x".repeat(22) })), "signature_wrong");
  assert.equal(check.findFault(PARTS, headerOf(signRequest("another secret", PARTS))), "signature_wrong");
  assert.equal(check.findFault(PARTS, headerOf({ ...headers, [HEADERS.nonce]: "a\nb" })), "signature_wrong");
  for (const name of Object.keys(headers)) {
    const { [name]: _, ...rest } = headers;
    assert.equal(check.findFault(PARTS, headerOf(rest)), "signature_missing");
  }
});

test("GS-9 a request counts for a minute around its time, and within it is remembered", () => {
  let now = 1_000_000_000_000;
  const check = new RequestCheck(SECRET, () => now);
  const at = (sentAt: number) => headerOf(signRequest(SECRET, PARTS, sentAt));
  assert.equal(check.findFault(PARTS, at(now - WINDOW_MS - 1)), "signature_old");
  assert.equal(check.findFault(PARTS, at(now + WINDOW_MS + 1)), "signature_old");
  const early = at(now + WINDOW_MS);
  assert.equal(check.findFault(PARTS, early), undefined);
  for (let step = 0; step < 8; step++) {
    now += WINDOW_MS / 4;
    assert.equal(check.findFault(PARTS, at(now)), undefined);
    assert.equal(check.findFault(PARTS, early), "signature_replayed", `after ${step + 1} quarters of the window`);
  }
  now += 1;
  assert.equal(check.findFault(PARTS, early), "signature_old");
});

test("GS-9 an answer counts for its request, its status and its body only", () => {
  const signature = signAnswer(SECRET, "nonce", 200, "{}");
  assert.ok(isAnswerSigned(SECRET, "nonce", 200, "{}", signature));
  const others: [string, number, string, string | undefined][] = [
    ["other", 200, "{}", signature],
    ["nonce", 409, "{}", signature],
    ["nonce", 200, "[]", signature],
    ["nonce", 200, "{}", undefined],
    ["nonce", 200, "{}", ""],
  ];
  for (const [nonce, status, body, given] of others) assert.ok(!isAnswerSigned(SECRET, nonce, status, body, given));
  const asRequest = signRequest(SECRET, { method: "200", target: "", body: "{}" })[HEADERS.signature];
  assert.ok(!isAnswerSigned(SECRET, "nonce", 200, "{}", asRequest));
});
