import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ERRORS, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import { type Asked, type Door, openDoor } from "./door.test-support.ts";

const CALL = "/v1/processes/accumulator/alice/call";
const CAST = "/v1/processes/accumulator/alice/cast";
const STOP = "/v1/processes/accumulator/alice/stop";
const START = "/v1/processes";
const PROCESS = "/v1/processes/accumulator/alice";
const MESSAGE = "/v1/messages/1-00000000-0000-0000-0000-000000000000";

let door: Door;
before(async () => {
  door = await openDoor();
});
after(() => door[Symbol.asyncDispose]());

function json(value: unknown, headers: Record<string, string | string[]> = {}): Asked {
  const body = typeof value === "string" ? value : JSON.stringify(value);
  return { body, headers: { "content-type": "application/json", ...headers } };
}

/** Asks, and expects to be refused with the code, in the one form that errors have. */
async function refused(method: string, path: string, asked: Asked, code: ErrorCode, detail = /./): Promise<void> {
  const { status, headers, json: problem, text } = await door.ask(method, path, asked);
  const [expected, title] = ERRORS[code];
  assert.equal(problem["code"], code, text);
  assert.equal(status, expected);
  assert.equal(problem["status"], expected);
  assert.equal(problem["title"], title);
  assert.match(String(problem["detail"]), detail);
  assert.equal(headers["content-type"], "application/problem+json");
  assert.equal(headers["x-served-by"], "api@test");
  assert.doesNotMatch(text, /\.ts|node_modules|was reached/);
}

const post = (path: string, value: unknown, code: ErrorCode, detail?: RegExp) =>
  refused("POST", path, json(value), code, detail);
const get = (path: string, code: ErrorCode, detail?: RegExp) => refused("GET", path, {}, code, detail);

test("a body that is not JSON is invalid_json", async () => {
  await post(CALL, '{"message":', "invalid_json");
  await post(CALL, "", "invalid_json", /empty/);
  await post(CALL, "message=1", "invalid_json");
  await refused("POST", CALL, { ...json(""), body: Buffer.from([0x22, 0xff, 0x22]) }, "invalid_json", /UTF-8/);
});

test("a body that is JSON and no object is invalid_request", async () => {
  for (const body of ["[]", "5", '"text"', "null", "true"]) {
    await post(CALL, body, "invalid_request", /the body.*expected object/);
  }
});

test("a field that nobody knows is named", async () => {
  await post(CALL, { message: 1, mesage: 2 }, "invalid_request", /unknown field "mesage"/);
  await post(START, { module: "accumulator", options: { tag: "a" } }, "invalid_request", /"options.tag"/);
  await post(STOP, { force: true }, "invalid_request", /"force"/);
});

test("a field that is missing is named", async () => {
  await post(CALL, {}, "invalid_request", /message is missing/);
  await post(CAST, { delayMs: 5 }, "invalid_request", /message is missing/);
  await post(START, {}, "invalid_request", /module is missing/);
});

test("a value of the wrong type is named with its path", async () => {
  await post(START, { module: 5 }, "invalid_request", /^module: /);
  await post(START, { module: "accumulator", key: 5 }, "invalid_request", /^key: /);
  await post(START, { module: "accumulator", ifExists: "maybe" }, "invalid_request", /^ifExists: /);
  await post(START, { module: "accumulator", options: { tags: ["a", 5] } }, "invalid_request", /^options\.tags\.1: /);
  await post(START, { module: "accumulator", options: [] }, "invalid_request", /^options: /);
  await post(CALL, { message: 1, timeoutMs: "1000" }, "invalid_request", /^timeoutMs: /);
  await post(STOP, { reason: 5 }, "invalid_request", /^reason: /);
});

test("a value out of its limits is refused", async () => {
  const start = (options: object) => post(START, { module: "accumulator", options }, "invalid_request", /^options\./);
  await start({ tags: Array(17).fill("a") });
  await start({ tags: [""] });
  await start({ tags: ["a".repeat(65)] });
  await start({ idleAfterMs: -1 });
  await start({ idleAfterMs: 2 ** 31 });
  await post(STOP, { reason: "" }, "invalid_request");
  for (const delayMs of [-1, 1.5, 367 * 86_400_000]) await post(CAST, { message: 1, delayMs }, "invalid_request");
});

test("a timeout out of range is invalid_timeout", async () => {
  for (const timeoutMs of [0, -1, 600_001, 1.5, Number.MAX_SAFE_INTEGER]) {
    await post(CALL, { message: 1, timeoutMs }, "invalid_timeout");
  }
  await post(CALL, '{"message":1,"timeoutMs":1e400}', "invalid_timeout");
});

test("a malformed module or key is invalid_pid", async () => {
  for (const key of ["", ".", "..", "a/b", "a b", "ä", "a".repeat(129), "a".repeat(10_000)]) {
    await post(START, { module: "accumulator", key }, "invalid_pid");
    await post(START, { module: key, key: "alice" }, "invalid_pid");
  }
  for (const key of ["%2e%2e", "a%2Fb", "a%20b", "a".repeat(10_000), "%zz", "%00"]) {
    await post(`/v1/processes/accumulator/${key}/call`, { message: 1 }, "invalid_pid");
    await get(`/v1/processes/accumulator/${key}`, "invalid_pid");
    await get(`/v1/processes/${key}/alice/dead-letters`, "invalid_pid");
  }
  await get("/v1/processes?module=a/b", "invalid_pid");
});

test("a path with a broken percent-encoding is invalid_request where it names no process", () =>
  get("/v1/messages/%zz", "invalid_request"));

test("a media type other than JSON in UTF-8 is unsupported_media_type", async () => {
  const body = '{"message":1}';
  const types = ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=x"];
  for (const type of types) {
    await refused("POST", CALL, { body, headers: { "content-type": type } }, "unsupported_media_type");
  }
  await refused("POST", CALL, { body }, "unsupported_media_type");
  await refused("POST", CALL, {}, "unsupported_media_type");
  await refused("POST", CALL, json(body, { "content-encoding": "gzip" }), "unsupported_media_type");
});

test("JSON is taken under every spelling of its media type", async () => {
  for (const type of ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"', "application/json ;"]) {
    const asked = { body: "{}", headers: { "content-type": type } };
    if (type.endsWith(";")) await refused("POST", CALL, asked, "unsupported_media_type");
    else await refused("POST", CALL, asked, "invalid_request", /message is missing/);
  }
});

test("a body over the limit is body_too_large, announced or not", async () => {
  const body = JSON.stringify({ message: "x".repeat(1024 * 1024) });
  await refused("POST", CALL, json(body), "body_too_large");
  await refused("POST", CALL, json(body, { "transfer-encoding": "chunked" }), "body_too_large");
});

test("a body that is nested too deep to be written again is invalid_request", async () => {
  const nest = (depth: number) => `{"mesage":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  await post(CALL, nest(500), "invalid_request", /deep/);
  await post(CALL, nest(100_000), "invalid_request", /deep/);
  await post(CALL, nest(499), "invalid_request", /missing/);
  await post(CALL, { mesage: '[{\\"'.repeat(1000) }, "invalid_request", /missing/);
});

test("a __proto__ in a body is a field like any other and changes nothing", async () => {
  await post(CALL, '{"message":1,"__proto__":{"timeoutMs":5}}', "invalid_request", /unknown field "__proto__"/);
  await post(START, '{"module":"a","options":{"__proto__":{"tags":[]}}}', "invalid_request", /__proto__/);
  await get("/v1/processes?__proto__=1", "invalid_request", /__proto__/);
  assert.equal(({} as Record<string, unknown>)["timeoutMs"], undefined);
});

test("an Idempotency-Key that is not 1 to 255 visible ASCII characters is invalid_request", async () => {
  for (const key of ["", "a b", "ä", "a".repeat(256), ["a", "b"]]) {
    const asked = json({ message: 1 }, { "idempotency-key": key });
    await refused("POST", CALL, asked, "invalid_request", /Idempotency-Key/);
  }
});

test("a query that a route does not take is invalid_request", async () => {
  await get("/v1/processes?limit=1&limit=2", "invalid_request", /"limit" more than once/);
  for (const limit of ["0", "1001", "-1", "1.5", "ten", ""]) {
    await get(`/v1/processes?limit=${limit}`, "invalid_request", /limit/);
  }
  await get("/v1/processes?status=asleep", "invalid_request", /status/);
  await get("/v1/processes?cursor=", "invalid_request", /cursor/);
  await get("/v1/processes?page=2", "invalid_request", /"page"/);
  await get(`${PROCESS}?state=yes`, "invalid_request", /state/);
  await get(`${MESSAGE}?wait=600001`, "invalid_request", /wait/);
  await get("/v1/cluster?verbose=1", "invalid_request", /"verbose"/);
  await refused("POST", `${CALL}?timeoutMs=1`, json({ message: 1 }), "invalid_request", /"timeoutMs"/);
});

test("an id that no message can have is unknown_message", async () => {
  for (const id of ["1", "x-y", `1-${"0".repeat(36)}`, "a".repeat(5000)]) {
    await get(`/v1/messages/${id}`, "unknown_message");
    await refused("DELETE", `/v1/messages/${id}`, {}, "unknown_message");
  }
});

test("a path that is no route is unknown_route", async () => {
  for (const path of [
    "/v1",
    "/v2/processes",
    "/invoke",
    "/api",
    `${CALL}/`,
    "/V1/processes",
    "/v1/processes/accumulator//call",
  ]) {
    await get(path, "unknown_route");
    await post(path, { message: 1 }, "unknown_route");
  }
});

test("a method that a route does not take is method_not_allowed, with those it takes", async () => {
  await refused("GET", CALL, {}, "method_not_allowed");
  await refused("OPTIONS", CALL, {}, "method_not_allowed");
  await refused("PUT", PROCESS, json({}), "method_not_allowed");
  assert.equal((await door.ask("PATCH", START)).headers["allow"], "POST, GET, HEAD");
  assert.equal((await door.ask("POST", MESSAGE)).headers["allow"], "GET, HEAD, DELETE");
});

test("whatever was sent, nothing is left in flight", async () => {
  await Promise.all(Array.from({ length: 50 }, () => door.ask("POST", CALL, json("{"))));
  assert.equal(door.parts.metrics.inFlight, 0);
});
