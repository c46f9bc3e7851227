import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import type { FunctionsView } from "../functions.ts";
import { cronView, functionsView, projectView } from "../view/sample-functions.test-support.ts";
import { READ_TOKEN, readEvents, serveConsole, TOKEN } from "./console.test-support.ts";

const ACTS = ["/cluster/api/projects/alice-shop/rollback", "/cluster/ticks/alice-shop/Ticker"];
const POST = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };

/** The API of a cluster with one project, which notes what it is asked. */
function sampleApi(asked: string[]): RequestListener {
  const { functions, ...project } = projectView();
  const answers: Record<string, unknown> = {
    "GET /api/projects": { projects: [project] },
    "GET /api/functions": { functions: functions.toReversed(), sandboxes: { warm: 2, busy: 1 } },
    "GET /api/projects/alice-shop/functions/Ticker": cronView({ runs: [] }),
    "POST /api/projects/alice-shop/rollback": { deployment: 4 },
    "POST /ticks/alice-shop/Ticker": { run: "1-1" },
  };
  return ({ method, url, headers }, response) => {
    asked.push(`${method} ${url}`);
    if (url === "/logs/alice-shop/Ticker") {
      const from = Number(String(headers["last-event-id"] ?? "7-0").split("-")[1]) + 1;
      response.setHeader("content-type", "text/event-stream");
      response.write(`id: 7-${from}\nevent: line\ndata: {"text":"line ${from}"}\n\n`);
      return;
    }
    const body = answers[`${method} ${url}`];
    response.statusCode = body === undefined ? 404 : 200;
    response
      .setHeader("content-type", "application/json")
      .end(JSON.stringify(body ?? { message: "function not found!" }));
  };
}

test("projects come with their functions in the order of names, and fifty browsers share the reads", async (t) => {
  const asked: string[] = [];
  const { askAsOperator } = await serveConsole(t, { api: sampleApi(asked) });
  const answers = await Promise.all(Array.from({ length: 50 }, () => askAsOperator("/api/functions")));
  const views = await Promise.all(answers.map((answer) => answer.json() as Promise<FunctionsView>));
  assert.deepEqual(views[0], functionsView());
  // One of each for every half second that the fifty answers take.
  assert.ok(asked.length <= 10, `${asked.length} questions`);
});

test("one function comes with its runs; one that is not there, and a name that is none, is 404", async (t) => {
  const asked: string[] = [];
  const { askAsOperator } = await serveConsole(t, { api: sampleApi(asked) });
  const found = await askAsOperator("/api/functions/alice-shop/Ticker");
  assert.deepEqual(await found.json(), cronView({ runs: [] }));
  const missing = await askAsOperator("/api/functions/alice-shop/None");
  assert.equal(missing.status, 404);
  assert.deepEqual(await missing.json(), { message: "function not found!" });
  asked.length = 0;
  for (const odd of ["..%2f..", "a%20b", "%00"]) {
    assert.equal((await askAsOperator(`/api/functions/alice-shop/${odd}`)).status, 404, odd);
  }
  assert.deepEqual(asked, []);
});

test("where the cluster has no functions the API's words are passed on, and where it is away it is 503", async (t) => {
  const problem = { code: "functions_unavailable", detail: "FUNCTIONS_URL is not set", status: 503 };
  const { askAsOperator } = await serveConsole(t, {
    api: (_request, response) => response.writeHead(503).end(JSON.stringify(problem)),
  });
  const refused = await askAsOperator("/api/functions");
  assert.equal(refused.status, 503);
  assert.deepEqual(await refused.json(), problem);
  const away = await (await serveConsole(t)).askAsOperator("/api/functions");
  assert.equal(away.status, 503);
  assert.equal(((await away.json()) as { code: string }).code, "no_api");
});

test("sysmon's own token that the API does not take is no refusal of the reader's", async (t) => {
  const api: RequestListener = (_request, response) => response.writeHead(401).end("{}");
  const { askAsOperator } = await serveConsole(t, { api });
  const answer = await askAsOperator("/api/functions");
  assert.equal(answer.status, 502);
  assert.equal(((await answer.json()) as { code: string }).code, "api_refused");
});

test("functions take a token, rolling back and running one that may act, and no other site's page does either", async (t) => {
  const asked: string[] = [];
  const { ask } = await serveConsole(t, { api: sampleApi(asked) });
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  for (const path of ["/api/functions", "/api/functions/alice-shop/Ticker", "/cluster/logs/alice-shop/Ticker"]) {
    assert.equal((await ask(path)).status, 401, path);
  }
  assert.equal((await ask("/api/functions", { headers: bearer(READ_TOKEN) })).status, 200);
  asked.length = 0;
  for (const path of ACTS) {
    const status = async (headers: Record<string, string>) =>
      (await ask(path, { ...POST, headers: { ...POST.headers, ...headers } })).status;
    assert.equal(await status({}), 401, path);
    assert.equal(await status(bearer(READ_TOKEN)), 403, path);
    assert.equal(await status({ ...bearer(TOKEN), origin: "http://elsewhere.example" }), 403, path);
    assert.deepEqual(asked, [], path);
    assert.equal(await status(bearer(TOKEN)), 200, path);
    assert.deepEqual(asked.splice(0), [`POST ${path.slice("/cluster".length)}`]);
  }
});

test("no more of the functions' API is passed on than the page uses", async (t) => {
  const asked: string[] = [];
  const { askAsOperator } = await serveConsole(t, { api: sampleApi(asked) });
  for (const [method, path] of [
    ["DELETE", "/cluster/api/projects/alice-shop"],
    ["POST", "/cluster/api/projects"],
    ["GET", "/cluster/invoke/alice-shop/API"],
    ["POST", "/cluster/ticks/alice-shop"],
    ["GET", "/cluster/logs/alice-shop/..%2fTicker"],
  ] as const) {
    const { status } = await askAsOperator(path, { method });
    assert.equal(status, method === "GET" ? 404 : 405, `${method} ${path}`);
  }
  assert.deepEqual(asked, []);
});

test("a log resumes behind the line that a browser has seen, whether it says so in the header or the query", async (t) => {
  const { askAsOperator } = await serveConsole(t, { api: sampleApi([]) });
  const path = "/cluster/logs/alice-shop/Ticker";
  const first = async (path: string, headers: Record<string, string> = {}) =>
    (await readEvents(await askAsOperator(path, { headers }), 1))[0]?.id;
  assert.equal(await first(path), "7-1");
  assert.equal(await first(path, { "last-event-id": "7-4" }), "7-5");
  assert.equal(await first(`${path}?lastEventId=7-8`), "7-9");
  assert.equal(await first(`${path}?lastEventId=7-8`, { "last-event-id": "7-10" }), "7-11");
});
