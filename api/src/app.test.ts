import assert from "node:assert/strict";
import { test } from "node:test";
import { openDoor } from "./door.test-support.ts";

test("a door with a token asks for it, on every path but /health and /ready", async () => {
  await using door = await openDoor({ token: "s3cret", isOpen: () => false });
  const paths = ["/v1/processes", "/v1/cluster", "/metrics", "/openapi.json", "/nowhere", "/v1/processes/%zz/a"];
  for (const path of paths) {
    const { status, headers, json } = await door.ask("GET", path);
    assert.equal(status, 401, path);
    assert.equal(json["code"], "unauthorized");
    assert.match(String(headers["www-authenticate"]), /^Bearer /);
    assert.equal(headers["x-served-by"], "api@test");
  }
  assert.equal((await door.ask("PUT", "/v1/cluster")).status, 401);
  assert.equal((await door.ask("GET", "/health")).status, 200);
  assert.equal((await door.ask("GET", "/ready")).json["code"], "redis_unavailable");
});

test("a door with a token takes that token and no other", async () => {
  await using door = await openDoor({ token: "s3cret" });
  const statusWith = async (authorization: string) =>
    (await door.ask("GET", "/openapi.json", { headers: { authorization } })).status;
  assert.equal(await statusWith("Bearer s3cret"), 200);
  assert.equal(await statusWith("bearer  s3cret"), 200);
  const wrong = ["", "s3cret", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3crett", "Bearer S3CRET", "Basic s3cret"];
  for (const authorization of wrong) assert.equal(await statusWith(authorization), 401, authorization);
});

test("a request without the token is refused before its body is looked at", async () => {
  await using door = await openDoor({ token: "s3cret" });
  const { status } = await door.ask("POST", "/v1/processes", { body: "x".repeat(2_000_000) });
  assert.equal(status, 401);
});

test("a node that has not joined the cluster refuses what needs it, and is alive", async () => {
  await using door = await openDoor({ isOpen: () => false });
  const headers = { "content-type": "application/json" };
  const call = await door.ask("POST", "/v1/processes/a/b/call", { headers, body: '{"message":1}' });
  assert.equal(call.json["code"], "redis_unavailable");
  assert.equal(call.headers["retry-after"], "1");
  assert.equal((await door.ask("GET", "/v1/cluster")).status, 503);
  assert.equal((await door.ask("GET", "/health")).status, 200);
  assert.deepEqual((await door.ask("GET", "/ready")).json["reasons"], ["redis_unavailable"]);
  assert.equal((await door.ask("GET", "/metrics")).status, 200);
});

test("a node that drains says so to those who ask whether it is well", async () => {
  await using door = await openDoor({ isOpen: () => false, isDraining: () => true });
  const health = await door.ask("GET", "/health");
  assert.equal(health.status, 503);
  assert.equal(health.json["code"], "draining");
  assert.deepEqual((await door.ask("GET", "/ready")).json["reasons"], ["draining", "redis_unavailable"]);
});

test("HEAD is answered as GET without its body", async () => {
  await using door = await openDoor();
  const [head, whole] = [await door.ask("HEAD", "/openapi.json"), await door.ask("GET", "/openapi.json")];
  assert.equal(head.status, 200);
  assert.equal(head.text, "");
  assert.equal(head.headers["content-length"], whole.headers["content-length"]);
});

test("metrics count requests by route and status, and never by a path that a client made up", async () => {
  await using door = await openDoor();
  await door.ask("GET", "/health");
  await door.ask("GET", "/made/up");
  await door.ask("POST", "/v1/processes/accumulator/alice/call");
  const { text, headers } = await door.ask("GET", "/metrics");
  assert.match(String(headers["content-type"]), /^text\/plain/);
  assert.match(text, /http_request_duration_seconds_count\{method="GET",route="\/health",status="200"\} 1/);
  assert.match(text, /_count\{method="POST",route="\/v1\/processes\/:module\/:key\/call",status="415"\} 1/);
  assert.match(text, /_count\{method="other",route="unknown",status="404"\} 1/);
  assert.match(text, /http_requests_in_flight 1\n/);
  assert.match(text, /process_cpu_user_seconds_total/);
  assert.doesNotMatch(text, /alice|made/);
});

test("a request that acts is refused where it comes from a page of another site", async () => {
  await using door = await openDoor();
  const host = `127.0.0.1:${door.port}`;
  const kill = (origin: string) => door.ask("POST", "/v1/processes/a/b/kill", { headers: { origin, host } });
  for (const origin of ["http://evil.example", "null", "", "http://127.0.0.1:1", `http://${host}.evil.example`]) {
    const { status, json } = await kill(origin);
    assert.deepEqual([status, json["code"]], [403, "cross_site"], origin);
  }
  assert.equal((await kill(`http://${host}`)).json["code"], "internal_error", "it has reached what is behind the door");
  const reading = await door.ask("GET", "/openapi.json", { headers: { origin: "http://evil.example" } });
  assert.equal(reading.status, 200);
});

test("no route that acts is open to a page of another site, whatever type of body it sends", async () => {
  await using door = await openDoor();
  const { json } = await door.ask("GET", "/openapi.json");
  const routes = Object.entries(json["paths"] as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).flatMap((method) => (method === "get" ? [] : [`${method.toUpperCase()} ${path}`])),
  );
  assert.ok(routes.length >= 15, "there are many");
  for (const route of [...routes, "POST /api/v1/work", "POST /api/v1/work/"]) {
    const [method = "", path = ""] = route.replaceAll(/\{\w+\}/g, "x").split(" ");
    for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      const headers = { origin: "https://evil.example", "content-type": type };
      const { status, json } = await door.ask(method, path, { headers, ...(method === "POST" && { body: "{}" }) });
      assert.deepEqual([status, json["code"]], [403, "cross_site"], `${route} ${type}`);
    }
  }
});

test("a name that is not the server's own reaches nothing but its health, also where the page of that name sends it", async () => {
  await using door = await openDoor({ allowedHosts: ["api.example"] });
  const rebound = { host: "evil.example", origin: "http://evil.example" };
  const asked = [
    ["GET", "/openapi.json"],
    ["HEAD", "/metrics"],
    ["POST", "/v1/processes/a/b/kill"],
    ["DELETE", "/v1/processes"],
    ["OPTIONS", "/nowhere"],
    ["GET", "/v1/processes/%"],
  ] as const;
  for (const [method, path] of asked) {
    const { status, json } = await door.ask(method, path, { headers: rebound });
    assert.equal(status, 403, `${method} ${path}`);
    if (method !== "HEAD") assert.equal(json["code"], "unknown_host");
  }
  assert.equal((await door.ask("GET", "/health", { headers: rebound })).status, 200);
  for (const host of ["api.example", "API.example:80", "localhost", "lb:8080", "10.1.2.3:3000", "[::1]:3000"]) {
    assert.equal((await door.ask("GET", "/openapi.json", { headers: { host } })).status, 200, host);
  }
});
