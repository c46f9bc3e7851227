import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogLine } from "@genserverless/shared/functions/views.ts";
import type { FunctionEyes, FunctionsView } from "../functions.ts";
import { cronView, functionsView, functionView, projectView } from "../view/sample-functions.test-support.ts";
import { FunctionBrowser } from "./function-browser.ts";
import { operateFunction } from "./operator.ts";

/** A cluster with functions whose questions are counted, and whose log is written by `print`. */
function buildEyes() {
  const asked: string[] = [];
  const cluster: { view: FunctionsView; refusal?: { status: number; body: unknown }; isAway: boolean } = {
    view: functionsView(),
    isAway: false,
  };
  const listeners = new Set<(line: LogLine) => void>();
  const answer = <View>(question: string, view: View) => {
    asked.push(question);
    if (cluster.isAway) return Promise.reject(new Error("no answer"));
    return Promise.resolve(cluster.refusal ? { refusal: cluster.refusal } : { view });
  };
  const eyes: FunctionEyes = {
    readFunctions: () => answer("all", cluster.view),
    readFunction: (project, name) => answer(`${project}/${name}`, cronView()),
    followLog: (project, name, onLine) => {
      asked.push(`log ${project}/${name}`);
      listeners.add(onLine);
      return () => void listeners.delete(onLine);
    },
  };
  const print = (text: string) => {
    const line: LogLine = { at: 0, commit: "c", sandbox: 1, stream: "stdout", text };
    for (const listener of listeners) listener(line);
  };
  return { eyes, asked, cluster, listeners, print };
}

test("the list is asked for while nothing is open, then only the one that is, and its log while one looks", async (t) => {
  t.mock.method(performance, "now", () => 0);
  const { eyes, asked, listeners, print } = buildEyes();
  let drawings = 0;
  const browser = new FunctionBrowser(eyes, () => drawings++);
  await Promise.all([browser.load(), browser.load()]);
  await browser.load();
  assert.deepEqual(asked.splice(0), ["all"]);
  browser.move(1, 10);
  browser.open();
  await browser.load();
  assert.deepEqual(asked.splice(0), ["log alice-shop/Ticker", "alice-shop/Ticker"]);
  print("ticked");
  assert.equal(browser.model.page?.lines[0]?.text, "ticked");
  assert.equal(drawings, 1);
  browser.close();
  assert.equal(listeners.size, 0);
  await browser.load();
  assert.deepEqual(browser.model.page?.lines, [], "the log is told from its beginning again");
  browser.goBack();
  assert.equal(listeners.size, 0);
  assert.equal(browser.model.page, undefined);
  await browser.load();
  assert.deepEqual(asked, ["log alice-shop/Ticker", "all"]);
});

test("the chosen function stays chosen where others come before it, and goes to a neighbour where it goes", async () => {
  const { eyes, cluster } = buildEyes();
  const browser = new FunctionBrowser(eyes, () => {});
  const readAgain = async (functions: ReturnType<typeof functionView>[]) => {
    cluster.view = functionsView([projectView({ functions })]);
    browser.open();
    browser.goBack();
    await browser.load();
  };
  await browser.load();
  browser.move(100, 10);
  assert.equal(browser.chosen?.name, "Ticker");
  await readAgain([functionView(), functionView({ name: "New" }), cronView()]);
  assert.deepEqual([browser.model.chosen, browser.chosen?.name], [2, "Ticker"]);
  await readAgain([functionView()]);
  assert.deepEqual([browser.model.chosen, browser.chosen?.name], [0, "API"]);
  await readAgain([]);
  assert.deepEqual([browser.model.chosen, browser.chosen], [-1, undefined]);
});

test("a refusal and a lost answer are told, over what was read last", async () => {
  const { eyes, cluster } = buildEyes();
  const without = new FunctionBrowser(eyes, () => {});
  cluster.refusal = { status: 503, body: { code: "functions_unavailable", detail: "FUNCTIONS_URL is not set" } };
  await without.load();
  assert.equal(without.model.error, "503 functions_unavailable FUNCTIONS_URL is not set");
  assert.equal(without.model.view, undefined);

  delete cluster.refusal;
  const browser = new FunctionBrowser(eyes, () => {});
  await browser.load();
  cluster.isAway = true;
  browser.open();
  await browser.load();
  assert.equal(browser.model.page?.error, "no answer");
  browser.goBack();
  await browser.load();
  assert.equal(browser.model.error, "no answer");
  assert.ok(browser.model.view);
});

test("a log is kept in bounds, and what one looks back at does not move when lines come", async () => {
  const { eyes, print } = buildEyes();
  const browser = new FunctionBrowser(eyes, () => {});
  await browser.load();
  browser.open();
  await browser.load();
  for (let at = 0; at < 5_000; at++) print(String(at));
  assert.ok((browser.model.page?.lines.length ?? 0) <= 2_000);
  browser.move(-3, 10);
  print("new");
  assert.equal(browser.model.page?.back, 4);
  browser.move(-10_000, 10);
  assert.equal(browser.model.page?.back, (browser.model.page?.lines.length ?? 0) - 10);
  browser.move(10_000, 10);
  assert.equal(browser.model.page?.back, 0);
});

test("a function is run, and a project rolled back, through the API, and what came of it is told in one line", async () => {
  const asked: unknown[] = [];
  const answers = [
    { status: 202, body: { run: "1-2" } },
    { status: 409, body: { error: "Conflict", message: "there is nothing to go back to" } },
  ];
  const api = {
    request: async (...request: unknown[]) => {
      asked.push(request);
      return answers.shift() ?? assert.fail("asked too often");
    },
  };
  assert.deepEqual(await operateFunction(api, "tick", "alice-shop", "Ticker"), {
    text: 'run alice-shop/Ticker: {"run":"1-2"}',
    isBad: false,
  });
  assert.deepEqual(await operateFunction(api, "rollback", "alice-shop", "Ticker"), {
    text: "roll back alice-shop: 409 there is nothing to go back to",
    isBad: true,
  });
  assert.deepEqual(asked, [
    ["POST", "/ticks/alice-shop/Ticker", {}],
    ["POST", "/api/projects/alice-shop/rollback", {}],
  ]);
});
