import assert from "node:assert/strict";
import { get, type IncomingMessage, type RequestListener } from "node:http";
import { test } from "node:test";
import { clusterView, nodeView } from "../view/sample.test-support.ts";
import { SampleLog, serveConsole, TOKEN } from "./console.test-support.ts";

/** What goes on after its first answer: until when, and how much of it. */

const SAME_SITE = { "sec-fetch-site": "same-origin" };
const SIGN_IN = {
  method: "POST",
  headers: { "content-type": "application/json", ...SAME_SITE },
  body: JSON.stringify({ token: TOKEN }),
};

/** An answer that goes on, as far as it has come. */
class Followed {
  text = "";
  isOpen = true;

  constructor({ status, body }: Response) {
    assert.equal(status, 200);
    void this.#read(body);
  }

  async #read(body: Response["body"]): Promise<void> {
    try {
      for await (const chunk of body ?? []) this.text += Buffer.from(chunk).toString();
    } catch {
      // It was cut off.
    }
    this.isOpen = false;
  }
}

test("what goes on ends with the session that opened it, and not with another's wrong tokens", async (t) => {
  const logs = new SampleLog();
  const api: RequestListener = (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": here\n\n");
  };
  const { ask } = await serveConsole(t, { api, logs, beatMs: 100 });
  const cookie = (await ask("/api/session", SIGN_IN)).headers.get("set-cookie")?.split(";")[0] ?? "";
  const follow = async (path: string) => new Followed(await ask(path, { headers: { cookie } }));
  const live = await follow("/api/live");
  const log = await follow("/api/logs");
  const events = await follow("/cluster/v1/processes/stack/a/events");
  for (let attempt = 0; attempt < 12; attempt++) {
    await (await ask("/api/processes", { headers: { authorization: "Bearer guess" } })).arrayBuffer();
  }
  const entry = { time: "2026-03-01T11:56:56.000Z", level: "info", node: "worker@w" } as const;
  live.text = "";
  logs.write({ id: "1-0", msg: "before", ...entry });
  await t.waitFor(() => assert.match(live.text, /event: picture/), { timeout: 5_000 });
  await t.waitFor(() => assert.match(log.text, /before/), { timeout: 5_000 });
  assert.ok(live.isOpen && log.isOpen && events.isOpen);

  await ask("/api/session", { method: "DELETE", headers: { cookie, ...SAME_SITE } });
  logs.write({ id: "2-0", msg: "after", ...entry });
  await t.waitFor(() => assert.ok(!live.isOpen && !log.isOpen && !events.isOpen), { timeout: 20_000 });
  assert.doesNotMatch(log.text, /after/);
});

test("a reader that takes nothing is sent no more pictures than it takes, and the newest once it does", async (t) => {
  let looks = 0;
  const name = "n".repeat(4_000_000);
  const readCluster = async () => clusterView([nodeView({ name, running: ++looks })]);
  const { url } = await serveConsole(t, { readCluster, beatMs: 10 });
  const { hostname, port } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
  get({ hostname, port, path: "/api/live", agent: false }, resolve);
  const answer = await promise;
  t.after(() => answer.destroy());
  await t.waitFor(() => assert.ok(looks > 8), { timeout: 20_000 });
  const seen: number[] = [];
  let tail = "";
  answer.on("data", (chunk: Buffer) => {
    tail = (tail + chunk).slice(-100_000);
    for (const [text, running] of tail.matchAll(/"running":(\d+)/g)) {
      seen.push(Number(running));
      tail = tail.slice(tail.indexOf(text) + text.length);
    }
  });
  await t.waitFor(() => assert.ok((seen.at(-1) ?? 0) > 8), { timeout: 20_000 });
  assert.ok(seen.length < 6, `it was sent ${seen.join(", ")}`);
});

test("of readers that nobody knows only so many follow at once", async (t) => {
  const { ask, askAsOperator } = await serveConsole(t);
  const leave = new AbortController();
  t.after(() => leave.abort());
  const follow = () => ask("/api/live", { signal: leave.signal });
  const followed = await Promise.all(Array.from({ length: 256 }, follow));
  assert.ok(followed.every(({ status }) => status === 200));
  const refused = await follow();
  assert.equal(refused.status, 503);
  assert.equal(((await refused.json()) as { code: string }).code, "too_many_streams");
  assert.equal((await askAsOperator("/api/live", { signal: leave.signal })).status, 200);
});
