import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogLine } from "@genserverless/shared/functions/views.ts";
import { countLogRows } from "./function-view.ts";
import { viewFunctions } from "./functions-view.ts";
import { textOf } from "./line.ts";
import type { FunctionPageModel, FunctionsModel } from "./model.ts";
import { SAMPLE_NOW_MS } from "./sample.test-support.ts";
import { cronView, functionsView, functionView, projectView } from "./sample-functions.test-support.ts";
import { model } from "./sample-model.test-support.ts";

function view(changes: Partial<FunctionsModel>, width = 120, height = 12) {
  return viewFunctions(model({ functions: { ...model().functions, ...changes } }), width, height);
}

const texts = (lines: ReturnType<typeof view>) => lines.map((line) => textOf(line).trimEnd());

function logLine(number: number, stream: LogLine["stream"] = "stdout"): LogLine {
  return { at: SAMPLE_NOW_MS, commit: "1f2e3d4c", sandbox: 1, stream, text: `line ${number}` };
}

const PAGE: FunctionPageModel = {
  project: "alice-shop",
  name: "Ticker",
  view: cronView({
    runs: [
      { id: "2", dueAt: "2026-03-01T11:59:00Z", status: "completed", durationMs: 41.2, coldStart: true },
      { id: "1", dueAt: "2026-03-01T11:58:00Z", status: "failed", durationMs: 3, error: "Error: boom" },
    ],
  }),
  lines: [logLine(1), logLine(2, "stderr")],
  back: 0,
  error: undefined,
};

test("every project has its functions below it, each with what makes it run and its figures", () => {
  const projects = [
    projectView(),
    projectView({
      name: "bob-mail",
      status: "failed",
      current: 1,
      functions: [functionView({ project: "bob-mail", name: "Listener", type: "event", topic: "orders" })],
    }),
    { name: "eve-new", repository: "/srv/eve/new", status: "building" as const, functions: [] },
  ];
  const lines = view({ view: functionsView(projects), chosen: 1 });
  assert.deepEqual(texts(lines), [
    "3 projects  3 functions  sandboxes 2 warm, 1 busy",
    "FUNCTION    TYPE   WHEN          NEXT  RUNS  FAILED  TIMEOUTS  COLD   MEAN  WARM  BUSY  WAITING",
    "alice-shop  ready  deployment 3  1f2e3d4c  https://github.com/alice/shop",
    "  API       http   on request       -  1204       3         1     5  12 ms     2     1        0",
    "  Ticker    cron   */1 * * * *    23s     7       0         0     5  12 ms     0     0        0",
    "bob-mail  failed  deployment 1  1f2e3d4c  https://github.com/alice/shop",
    "  Listener  event  topic orders     -  1204       3         1     5  12 ms     2     1        0",
    "eve-new  building  not deployed yet    /srv/eve/new",
  ]);
  assert.ok(lines[4]?.every(({ tone }) => tone === "chosen"));
});

test("a cluster without functions says so in one line, one without projects in two", () => {
  const error = "503 functions_unavailable this cluster runs no functions";
  assert.deepEqual(texts(view({ view: undefined, error })), [error]);
  assert.deepEqual(texts(view({ view: undefined })), ["reading…"]);
  assert.deepEqual(texts(view({ view: functionsView([]), chosen: -1 })), [
    "0 projects  0 functions  sandboxes 2 warm, 1 busy",
    "no project is deployed",
  ]);
});

test("what cannot be read now is said above what was read last", () => {
  const [head, , project] = texts(view({ error: "no answer" }));
  assert.equal(head, "1 projects  2 functions  sandboxes 2 warm, 1 busy  no answer");
  assert.match(project ?? "", /^alice-shop {2}ready/);
});

test("the chosen function is in sight, however many there are, in a window of any size", () => {
  const functions = Array.from({ length: 300 }, (_, index) => functionView({ name: `F${index}` }));
  for (const chosen of [0, 150, 299]) {
    for (const [width, height] of [
      [80, 12],
      [20, 2],
    ] as const) {
      const lines = view({ view: functionsView([projectView({ functions })]), chosen }, width, height);
      assert.equal(lines.length, height);
      assert.ok(
        texts(lines).some((line) => line.startsWith(`  F${chosen}`)),
        `${chosen} in ${width}×${height}`,
      );
    }
  }
});

test("an open function has its figures, its last runs, and below them its log", () => {
  assert.deepEqual(texts(view({ page: PAGE }, 120, 20)), [
    "alice-shop/Ticker  cron  */1 * * * * UTC  next in 23s",
    "commit 1f2e3d4c  timeout 30s  memory 128 MB  concurrency 1  kept warm 0",
    "runs 7  failed 0  timeouts 0  refused 0  cold starts 5, the last 165 ms  mean 12 ms",
    "sandboxes 0 warm, 0 busy, 0 waiting",
    "",
    "LAST RUNS",
    "  due 1m00s ago   completed   41 ms  cold",
    "  due 2m00s ago   failed      3 ms  Error: boom",
    "",
    "LOG  live",
    "12:00:00 stdout  line 1",
    "12:00:00 stderr  line 2",
  ]);
});

test("the log keeps room below the runs, its newest line at the bottom, and one can look back", () => {
  const [run] = PAGE.view?.runs ?? [];
  assert.ok(run);
  const runs = Array.from({ length: 50 }, () => run);
  const page = { ...PAGE, view: cronView({ runs }), lines: Array.from({ length: 100 }, (_, at) => logLine(at)) };
  const live = texts(view({ page }, 80, 21));
  assert.equal(live.length, 21);
  assert.equal(live.at(-1), "12:00:00 stdout  line 99");
  const room = countLogRows(page, 21);
  assert.equal(live.filter((line) => line.includes(" line ")).length, room);
  assert.ok(room >= 6);
  const back = texts(view({ page: { ...page, back: 100 - room } }, 80, 21));
  assert.ok(back.includes(`LOG  ${100 - room} back`));
  assert.equal(back.at(-room), "12:00:00 stdout  line 0");
});

test("an open function that is not there, or not read yet, says so", () => {
  const none = { ...PAGE, view: undefined, lines: [] };
  assert.deepEqual(texts(view({ page: { ...none, error: "404 function not found!" } })).slice(0, 2), [
    "alice-shop/Ticker",
    "404 function not found!",
  ]);
  assert.deepEqual(texts(view({ page: none })), ["alice-shop/Ticker", "reading…", "", "LOG  live", "  nothing yet"]);
});
