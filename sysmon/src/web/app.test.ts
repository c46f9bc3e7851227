import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ClusterView } from "@genserverless/shared/inspect/views.ts";
import { Events } from "@genserverless/shared/service/events.ts";
import { clusterView, nodeView } from "../view/sample.ts";
import { Watch } from "../watch.ts";
import { createApp } from "./app.ts";
import { WebServer } from "./server.ts";

async function serve(t: TestContext, readCluster = async () => clusterView(), beatMs = 60_000) {
  const events = new Events();
  const watch = new Watch({ readCluster, events, beatMs, patienceMs: 50 });
  const app = createApp({ watch, events, servedBy: "sysmon@sysmon-1" });
  const server = new WebServer({ app, host: "127.0.0.1", port: 0, events });
  await server.start();
  t.after(() => server.stop());
  return (path: string, init?: RequestInit) => fetch(`${server.url}${path}`, init);
}

test("GET /api/cluster is the cluster as JSON, with the age of the picture", async (t) => {
  const request = await serve(t);
  const response = await request("/api/cluster");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(response.headers.get("x-served-by"), "sysmon@sysmon-1");
  const { ageMs, ...view } = (await response.json()) as ClusterView & { ageMs: number };
  assert.deepEqual(view, clusterView());
  assert.ok(ageMs >= 0 && ageMs < 60_000);
});

test("fifty browsers cost one read a beat", async (t) => {
  let reads = 0;
  const request = await serve(t, async () => {
    reads++;
    return clusterView();
  });
  const responses = await Promise.all(Array.from({ length: 50 }, () => request("/api/cluster")));
  assert.ok(responses.every(({ status }) => status === 200));
  assert.equal(reads, 1);
});

test("without a first picture the cluster is 503 with Retry-After, and 200 once Redis is there", async (t) => {
  let isThere = false;
  const readCluster = async () => (isThere ? clusterView() : Promise.reject(new Error("ECONNREFUSED 10.0.0.7:6379")));
  const request = await serve(t, readCluster, 1);
  const response = await request("/api/cluster");
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("retry-after"), "1");
  const problem = await response.text();
  assert.equal(JSON.parse(problem).code, "redis_unavailable");
  assert.ok(!problem.includes("10.0.0.7"));
  isThere = true;
  await t.waitFor(async () => assert.equal((await request("/api/cluster")).status, 200));
});

test("while Redis is away or silent the last picture is served as not connected, growing older", async (t) => {
  const reads = [async () => clusterView(), () => new Promise<ClusterView>(() => {})];
  const request = await serve(t, () => (reads.shift() ?? assert.fail("an overdue read was doubled"))(), 1);
  await request("/api/cluster");
  await t.waitFor(async () => {
    const view = (await (await request("/api/cluster")).json()) as ClusterView & { ageMs: number };
    assert.equal(view.redis.connected, false);
    assert.deepEqual(view.nodes, clusterView().nodes);
    assert.ok(view.ageMs >= 50);
  });
});

test("the page and its files are served under a policy that allows no inline script", async (t) => {
  const request = await serve(t);
  const page = await request("/");
  const html = await page.text();
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  assert.match(page.headers.get("content-security-policy") ?? "", /^default-src 'self'/);
  assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)|<style|\s(on\w+|style)=/);
  for (const [, file] of html.matchAll(/(?:src|href)="([\w.-]+)"/g)) {
    const response = await request(`/${file}`);
    assert.equal(response.status, 200, file);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    await response.arrayBuffer();
  }
});

test("hostile names leave as JSON that nothing takes for a page", async (t) => {
  const name = "</script><img src=x onerror=alert(1)>";
  const request = await serve(t, async () => clusterView([nodeView({ name })]));
  const response = await request("/api/cluster");
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  assert.equal(((await response.json()) as ClusterView).nodes[0]?.name, name);
});

test("health is 200 whatever Redis does", async (t) => {
  const request = await serve(t, () => Promise.reject(new Error("away")));
  const response = await request("/health");
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { status: "ok" });
});

test("an unknown path is 404 as problem+json, a malformed one too, and nothing outside public is served", async (t) => {
  const request = await serve(t);
  for (const path of ["/nope", "/api", "/api/cluster/x", "/%E0%A4%A", "/..%2fapp.ts", "/.git/config", "/%00"]) {
    const response = await request(path);
    assert.equal(response.status, 404, path);
    assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/, path);
    assert.equal(((await response.json()) as { code: string }).code, "unknown_route");
  }
});

test("only GET and HEAD are answered", async (t) => {
  const request = await serve(t);
  assert.equal((await request("/api/cluster", { method: "HEAD" })).status, 200);
  for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    const response = await request("/api/cluster", { method });
    assert.equal(response.status, 405, method);
    assert.equal(response.headers.get("allow"), "GET, HEAD");
    await response.arrayBuffer();
  }
});
