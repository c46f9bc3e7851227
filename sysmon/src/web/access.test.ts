import assert from "node:assert/strict";
import { get, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { clusterView, nodeView } from "../view/sample.test-support.ts";
import { READ_TOKEN, serveConsole, TOKEN } from "./console.test-support.ts";
import { Sessions } from "./sessions.ts";

const SAME_SITE = { "sec-fetch-site": "same-origin" };
const JSON_BODY = { "content-type": "application/json" };
const CLOSED = ["/api/processes", "/api/processes/stack/a", "/api/logs", "/api/events", "/cluster/v1/modules"];

function signInWith(token: string, headers: Record<string, string> = SAME_SITE): RequestInit {
  return { method: "POST", headers: { ...JSON_BODY, ...headers }, body: JSON.stringify({ token }) };
}

const PAUSE = "/cluster/v1/processes/stack/a/pause";

function act(headers: Record<string, string>): RequestInit {
  return { method: "POST", headers: { ...JSON_BODY, ...headers }, body: "{}" };
}

/** A cluster's API that says what it was asked. */
function sampleApi(asked: string[] = []) {
  return (request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization} ${request.headers.cookie ?? ""}`);
    response.setHeader("content-type", "application/json").end('{"pid":"stack/a","status":"paused"}');
  };
}

/** A GET whose target is sent as it is. */
async function askRaw(url: string, path: string): Promise<number | undefined> {
  const { hostname, port } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { authorization: `Bearer ${TOKEN}` };
  get({ hostname, port, path, headers, agent: false }, resolve).on("error", reject);
  const answer = await promise;
  answer.resume();
  return answer.statusCode;
}

test("without a token only the counts are seen, without the names of processes", async (t) => {
  const busiest = [{ pid: "stack/secret", turns: 4, failed: 0 }];
  const readCluster = async () => clusterView([nodeView({ busiest })]);
  const { ask, askAsOperator } = await serveConsole(t, { readCluster });
  for (const path of CLOSED) {
    const response = await ask(path);
    assert.equal(response.status, 401, path);
    assert.equal(response.headers.get("www-authenticate"), 'Bearer realm="sysmon"');
    await response.arrayBuffer();
  }
  assert.equal((await ask(PAUSE, act(SAME_SITE))).status, 401);
  const counts = await ask("/api/cluster");
  assert.equal(counts.status, 200);
  assert.ok(!(await counts.text()).includes("stack/secret"));
  assert.ok((await (await askAsOperator("/api/cluster")).text()).includes("stack/secret"));
});

test("where the counts are not open they need a token, and so they do under a name that is not loopback's", async (t) => {
  const { ask, askAsOperator } = await serveConsole(t, { hasOpenCounts: false });
  assert.equal((await ask("/api/cluster")).status, 401);
  assert.equal((await ask("/api/live")).status, 401);
  assert.equal((await askAsOperator("/api/cluster")).status, 200);
  const open = await serveConsole(t);
  const { request } = await import("undici");
  const rebound = await request(`${open.url}/api/cluster`, { headers: { host: "sysmon:5984" } });
  assert.equal(rebound.statusCode, 401);
  await rebound.body.dump();
});

test("a wrong token is 401, one that only reads may not act: 403", async (t) => {
  const { ask } = await serveConsole(t, { api: sampleApi() });
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  assert.equal((await ask("/api/processes", { headers: bearer("wrong") })).status, 401);
  assert.equal((await ask("/api/processes", { headers: bearer(READ_TOKEN) })).status, 200);
  const refused = await ask(PAUSE, act(bearer(READ_TOKEN)));
  assert.equal(refused.status, 403);
  assert.equal(((await refused.json()) as { code: string }).code, "forbidden");
  assert.equal((await ask(PAUSE, act(bearer(TOKEN)))).status, 200);
});

test("a sign-in gives a cookie that no script sees and no other site sends; after the sign-out it is 401", async (t) => {
  const { ask } = await serveConsole(t, { api: sampleApi() });
  const signedIn = await ask("/api/session", signInWith(TOKEN));
  assert.deepEqual(await signedIn.json(), { scope: "act" });
  const cookie = signedIn.headers.get("set-cookie") ?? "";
  assert.match(cookie, /; HttpOnly/);
  assert.match(cookie, /; SameSite=Strict/);
  assert.match(cookie, /; Max-Age=43200/);
  const mine = { cookie: cookie.split(";")[0] ?? "" };
  assert.equal((await ask("/api/processes", { headers: mine })).status, 200);
  assert.equal((await ask(PAUSE, act({ ...mine, ...SAME_SITE }))).status, 200);
  const out = await ask("/api/session", { method: "DELETE", headers: { ...mine, ...SAME_SITE } });
  assert.equal(out.status, 204);
  assert.equal((await ask("/api/processes", { headers: mine })).status, 401);
});

test("an old cookie, a forged one and one of an earlier start are 401", async (t) => {
  const clock = { nowMs: 0 };
  const sessions = new Sessions({ lifeMs: 1000, now: () => clock.nowMs });
  const { ask, url } = await serveConsole(t, { sessions });
  const name = `genserverless-console-${new URL(url).port}`;
  const read = async (session: string) =>
    (await ask("/api/processes", { headers: { cookie: `${name}=${session}` } })).status;
  const session = sessions.begin("read");
  assert.equal(await read(session), 200);
  assert.equal(await read(session.replace("read", "act")), 401);
  assert.equal(await read(new Sessions().begin("act")), 401);
  for (const odd of ["", "act", "act.9999999999999.x.", "....", `${session}.x`])
    assert.equal(await read(odd), 401, odd);
  clock.nowMs = 1000;
  assert.equal(await read(session), 401);
});

test("no request of another site acts: not with a cookie, not with a token, and no cookie acts without an origin", async (t) => {
  const asked: string[] = [];
  const { ask, url } = await serveConsole(t, { api: sampleApi(asked) });
  const signedIn = await ask("/api/session", signInWith(TOKEN));
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  const bearer = `Bearer ${TOKEN}`;
  const foreign: Record<string, string>[] = [
    { cookie, "sec-fetch-site": "cross-site" },
    { cookie, "sec-fetch-site": "same-site" },
    { cookie, origin: "http://evil.example" },
    { cookie, origin: "null" },
    { cookie, origin: "http://127.0.0.1:1" },
    { cookie },
    { authorization: bearer, "sec-fetch-site": "cross-site" },
    { authorization: bearer, origin: "http://evil.example" },
  ];
  for (const headers of foreign) {
    const response = await ask(PAUSE, act(headers));
    assert.equal(response.status, 403, JSON.stringify(headers));
    assert.equal(((await response.json()) as { code: string }).code, "cross_site");
  }
  assert.equal((await ask("/api/session", signInWith(TOKEN, { origin: "http://evil.example" }))).status, 403);
  assert.equal((await ask("/api/session", { method: "DELETE", headers: { cookie } })).status, 403);
  assert.deepEqual(asked, []);
  assert.equal((await ask(PAUSE, act({ cookie, origin: url }))).status, 200);
  assert.deepEqual(asked, ["POST /v1/processes/stack/a/pause Bearer inside "]);
});

test("after ten wrong tokens an address is told to wait, and a right token is taken all the same", async (t) => {
  const { ask, askAsOperator } = await serveConsole(t);
  const guess = { authorization: "Bearer guess" };
  for (let attempt = 0; attempt < 10; attempt++) {
    assert.equal((await ask("/api/session", signInWith(`guess ${attempt}`))).status, 401);
    assert.equal((await ask("/api/processes", { headers: guess })).status, 401);
  }
  for (const response of [
    await ask("/api/session", signInWith("guess")),
    await ask("/api/processes", { headers: guess }),
  ]) {
    assert.equal(response.status, 429);
    assert.ok(Number(response.headers.get("retry-after")) > 0);
    await response.arrayBuffer();
  }
  assert.equal((await ask("/api/session", signInWith(TOKEN))).status, 200);
  assert.equal((await askAsOperator("/api/processes")).status, 200);
});

test("a name that is not the console's own is refused, also with its token and from the page of that name", async (t) => {
  const asked: string[] = [];
  const { url } = await serveConsole(t, { api: sampleApi(asked), allowedHosts: ["console.example"] });
  const { request } = await import("undici");
  const askAs = async (host: string, path: string, method: "GET" | "HEAD" | "POST" | "DELETE" = "GET") => {
    const headers = { host, origin: `http://${host.toLowerCase()}`, authorization: `Bearer ${TOKEN}`, ...JSON_BODY };
    const given = method === "POST" ? { body: "{}" } : {};
    const { statusCode, body } = await request(`${url}${path}`, { method, headers, ...given });
    return [statusCode, await body.text()] as const;
  };
  for (const path of [
    "/",
    "/main.js",
    "/metrics",
    "/api/cluster",
    "/api/live",
    "/api/session",
    "/api/processes",
    "/no",
  ]) {
    const [status, text] = await askAs("evil.example:5984", path);
    assert.equal(status, 403, path);
    assert.equal(JSON.parse(text).code, "unknown_host");
  }
  for (const method of ["POST", "DELETE"] as const) {
    assert.equal((await askAs("evil.example", "/api/session", method))[0], 403);
  }
  assert.equal((await askAs("evil.example", "/", "HEAD"))[0], 403);
  assert.equal((await askAs("evil.example", PAUSE, "POST"))[0], 403);
  assert.deepEqual(asked, []);
  assert.equal((await askAs("evil.example", "/health"))[0], 200);
  for (const host of ["console.example", "sysmon:5984", "10.0.0.7:5984", "[::1]:5984"]) {
    assert.equal((await askAs(host, PAUSE, "POST"))[0], 200, host);
  }
});

test("the cookie never leaves by plain HTTP where the page came over TLS", async (t) => {
  const { ask, url } = await serveConsole(t);
  const cookieOf = async (headers: Record<string, string>) =>
    (await ask("/api/session", signInWith(TOKEN, headers))).headers.get("set-cookie") ?? "";
  assert.match(await cookieOf({ origin: url }), /; SameSite=Strict$/);
  assert.match(await cookieOf({ origin: url.replace("http:", "https:") }), /; Secure/);
  assert.match(await cookieOf({ ...SAME_SITE, "x-forwarded-proto": "https" }), /; Secure/);
});

test("only what the console needs of the cluster's API is passed on, and there is no way to run code", async (t) => {
  const asked: string[] = [];
  const { url, askAsOperator } = await serveConsole(t, { api: sampleApi(asked) });
  const paths = [
    "/v1/bulk",
    "/v1/processes/import",
    "/v1/processes/a/b/exec",
    "/api/v1/work",
    "/v1/processes/a%2fb/../../bulk",
    "/v1/processes/a%2fb/c/kill",
    "/v1/processes/%20/c/kill",
    "//v1/processes/a/b/kill",
  ];
  for (const path of paths) assert.equal((await askAsOperator(`/cluster${path}`, act({}))).status, 405, path);
  assert.equal((await askAsOperator("/cluster/metrics")).status, 404);
  for (const target of [`${url}/cluster/v1/modules`, "http://elsewhere.example/cluster/v1/modules"])
    assert.equal(await askRaw(url, target), 400, target);
  for (const target of ["/cluster/v1/processes/../modules", "/cluster/v1/processes/../..", "/cluster//v1/modules"])
    assert.equal(await askRaw(url, target), 404, target);
  assert.deepEqual(asked, []);
  assert.equal(await askRaw(url, "/cluster/v1/processes/a/b?state=true&x=a%20b"), 200);
  assert.deepEqual(asked, ["GET /v1/processes/a/b?state=true&x=a+b Bearer inside "]);
});

test("a cluster that is away is 503, one that refuses sysmon's own token is 502", async (t) => {
  const away = await serveConsole(t);
  const lost = await away.askAsOperator("/cluster/v1/modules");
  assert.equal(lost.status, 503);
  assert.equal(lost.headers.get("retry-after"), "1");
  const closed = await serveConsole(t, { api: (_request, response) => response.writeHead(401).end("{}") });
  const refused = await closed.askAsOperator("/cluster/v1/modules");
  assert.equal(refused.status, 502);
  assert.equal(((await refused.json()) as { code: string }).code, "api_refused");
});
