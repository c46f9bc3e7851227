import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { ApiClient } from "./api-client.ts";
import { watchCommits } from "./commit-feed.ts";

function commit(revision: number): string {
  const messages = [{ messageId: "1-a", kind: "cast", verdict: "done" }];
  return `id: ${revision}-0\r\nevent: commit\ndata: ${JSON.stringify({ revision, turns: revision, messages })}\n\n`;
}

test("a process's commits are told over every break, each from behind the last that was read", async (t) => {
  const asked: unknown[] = [];
  const answers: ((res: ServerResponse) => void)[] = [
    (res) => res.end(`retry: 1\n\nid: 1-0\nevent: snapshot\ndata: {"revision":1}\n\n${commit(2)}`),
    (res) => {
      // Cut in the middle of an event, which comes in whole later.
      res.write(commit(3) + commit(4).slice(0, -5), () => res.destroy());
    },
    (res) => res.writeHead(503).end(),
    (res) => res.write(commit(4)),
  ];
  const server = createServer((req, res) => {
    asked.push([req.url, req.headers["last-event-id"]]);
    answers.shift()?.(res);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const api = new ApiClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const told: { revision: number; messages: readonly string[] }[] = [];
  const end = watchCommits({ api, pid: "stack/a", retryMs: 1 }, ({ revision, messages }) =>
    told.push({ revision, messages }),
  );
  t.after(async () => {
    end();
    await api.close();
    server.close();
  });
  await t.waitFor(() => assert.equal(told.at(-1)?.revision, 4), { timeout: 10_000 });
  assert.deepEqual(
    told,
    [2, 3, 4].map((revision) => ({ revision, messages: ["cast done"] })),
  );
  const path = "/v1/processes/stack/a/events";
  assert.deepEqual(
    asked,
    [undefined, "2-0", "3-0", "3-0"].map((id) => [path, id]),
  );
});
