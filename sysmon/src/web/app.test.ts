import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ClusterView } from "@genserverless/shared/inspect/views.ts";
import { clusterView, nodeView } from "../view/sample.test-support.ts";
import { logEntry } from "../view/sample-model.test-support.ts";
import { processView, readEvents, SampleLog, serveConsole } from "./console.test-support.ts";

const SOON = { timeout: 10_000 };

async function serve(t: TestContext, readCluster = async () => clusterView(), beatMs = 60_000) {
  return (await serveConsole(t, { readCluster, beatMs })).ask;
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

test("GET /metrics has the counts for Prometheus, and says when Redis is away", async (t) => {
  let isThere = true;
  const readCluster = async () => (isThere ? clusterView() : Promise.reject(new Error("away")));
  const request = await serve(t, readCluster, 1);
  const response = await request("/metrics");
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
  const text = await response.text();
  const { processes, mailbox } = clusterView();
  assert.match(text, new RegExp(`^genserverless_processes\\{status="idle"\\} ${processes.idle}$`, "m"));
  assert.match(text, new RegExp(`^genserverless_mailbox_messages\\{state="waiting"\\} ${mailbox.waiting}$`, "m"));
  assert.match(text, /^genserverless_nodes\{role="worker"\} 1$/m);
  assert.match(text, /^genserverless_redis_up 1$/m);
  isThere = false;
  const isAwayTold = async () => assert.match(await (await request("/metrics")).text(), /^genserverless_redis_up 0$/m);
  await t.waitFor(isAwayTold, SOON);
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
  await t.waitFor(async () => assert.equal((await request("/api/cluster")).status, 200), SOON);
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
  }, SOON);
});

test("the page and its files are served under a policy that allows no inline script", async (t) => {
  const request = await serve(t);
  const page = await request("/");
  const html = await page.text();
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  const policy = page.headers.get("content-security-policy") ?? "";
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
  assert.doesNotMatch(policy, /unsafe|\*|data:|https?:/);
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
  for (const path of ["/nope", "/apis", "/%E0%A4%A", "/..%2fapp.ts", "/.git/config", "/%00"]) {
    const response = await request(path);
    assert.equal(response.status, 404, path);
    assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/, path);
    assert.equal(((await response.json()) as { code: string }).code, "unknown_route");
  }
});

test("only GET and HEAD are answered where nothing can be done", async (t) => {
  const request = await serve(t);
  assert.equal((await request("/api/cluster", { method: "HEAD" })).status, 200);
  for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    const response = await request("/api/cluster", { method });
    assert.equal(response.status, 405, method);
    assert.equal(response.headers.get("allow"), "GET, HEAD");
    await response.arrayBuffer();
  }
});

test("the picture comes as server-sent events, and who comes back is told the history since", async (t) => {
  const { ask, history } = await serveConsole(t);
  const watched = clusterView();
  for (const waiting of [1, 2, 3])
    history.note({ view: { ...watched, mailbox: { waiting, delayed: 0, failed: 0 } }, ageMs: 0, away: false });
  const first = await ask("/api/live");
  assert.match(first.headers.get("content-type") ?? "", /^text\/event-stream/);
  const [past, picture] = await readEvents(first, 2);
  assert.equal((past?.data as unknown[] | undefined)?.length, 3);
  assert.deepEqual((picture?.data as { view: ClusterView } | undefined)?.view.mailbox, watched.mailbox);
  const again = await ask("/api/live", { headers: { "last-event-id": picture?.id ?? "" } });
  const [rest] = await readEvents(again, 1);
  assert.deepEqual(rest?.data, []);
});

test("the log resumes after the entry that a browser has seen, and ends with its reader", async (t) => {
  const logs = new SampleLog();
  const { askAsOperator } = await serveConsole(t, { logs });
  const entry = (id: string, msg: string) => logEntry({ id, msg });
  for (const number of [1, 2, 3]) logs.write(entry(`${number}-0`, `line\n\nevent: forged ${number}`));
  const seen = await readEvents(await askAsOperator("/api/logs"), 3);
  assert.deepEqual(
    seen.map(({ event, id }) => [event, id]),
    [
      ["log", "1-0"],
      ["log", "2-0"],
      ["log", "3-0"],
    ],
  );
  const resumed = await readEvents(await askAsOperator("/api/logs", { headers: { "last-event-id": "2-0" } }), 1);
  assert.deepEqual(
    resumed.map(({ id }) => id),
    ["3-0"],
  );
  await t.waitFor(() => assert.equal(logs.listeners, 0), SOON);
});

test("of the log, only what happens to the cluster is an event", async (t) => {
  const logs = new SampleLog();
  const { askAsOperator } = await serveConsole(t, { logs });
  const entry = (id: string, msg: string, more = {}) => logEntry({ id, msg, ...more });
  logs.write(entry("1-0", "accumulator init", { pid: "accumulator/a" }));
  logs.write(entry("2-0", "session.registered"));
  logs.write(entry("3-0", "process.quarantined", { pid: "accumulator/a" }));
  const events = await readEvents(await askAsOperator("/api/events"), 2);
  assert.deepEqual(
    events.map(({ id }) => id),
    ["2-0", "3-0"],
  );
});

test("a process is shown with its mail, large messages cut, and fifty who look share the reads", async (t) => {
  let reads = 0;
  const large = "x".repeat(1_000_000);
  const message = { messageId: "1-a", kind: "cast", message: large, queuedAt: "2026-03-01T11:56:56.000Z" };
  const { askAsOperator } = await serveConsole(t, {
    snapshot: {
      readProcess: async () => {
        reads++;
        return processView();
      },
      readMailbox: async (pid) => ({
        pid,
        status: "idle",
        mailbox: { waiting: 1, delayed: 0, failed: 0 },
        running: [],
        waiting: [message],
        delayed: [],
        isCut: false,
      }),
    },
  });
  const answers = await Promise.all(Array.from({ length: 50 }, () => askAsOperator("/api/processes/stack/a")));
  const bodies = await Promise.all(answers.map((answer) => answer.json() as Promise<Detail>));
  // One for each half second that the fifty answers take.
  assert.ok(reads <= 5, `${reads} reads`);
  assert.equal(bodies[0]?.process.pid, "stack/a");
  assert.equal(bodies[0]?.mailbox.waiting[0]?.message.length, 4_000);
  assert.equal(bodies[0]?.mailbox.waiting[0]?.cutBytes, 1_000_002);
});

interface Detail {
  process: { pid: string };
  mailbox: { waiting: { message: string; cutBytes: number }[] };
}

test("a process that is not there is 404, a bad pid or query 400", async (t) => {
  const { askAsOperator } = await serveConsole(t);
  const codes = {
    "/api/processes/stack/a": 404,
    "/api/processes/st%20ack/a": 400,
    "/api/processes?status=odd": 400,
    "/api/processes?limit=0": 400,
  };
  for (const [path, status] of Object.entries(codes)) assert.equal((await askAsOperator(path)).status, status, path);
});

test("a level, or an id to resume after, that is none is refused", async (t) => {
  const { askAsOperator } = await serveConsole(t);
  assert.equal((await askAsOperator("/api/logs?level=loud")).status, 400);
  assert.equal((await askAsOperator("/api/events?level=loud")).status, 400);
  for (const path of ["/api/logs", "/api/events", "/api/live"]) {
    assert.equal((await askAsOperator(path, { headers: { "last-event-id": "yesterday" } })).status, 400, path);
    assert.equal((await askAsOperator(`${path}?lastEventId=1-0&lastEventId=2-0`)).status, 400, path);
  }
});
