/** Functions as sysmon shows them, on a terminal and on its page: one sysmon, a real cluster, a real Chromium. */

import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { findFreePort } from "@genserverless/local/ports.ts";
import type { Browser, Page } from "playwright-core";
import { openChromium, openPage } from "../console/chromium.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { Terminal } from "../tools/terminal.ts";
import { until } from "../tools/until.ts";
import { type Deployed, FunctionsCluster } from "./functions-cluster.ts";
import type { Files, GitRepository } from "./git-repository.ts";

const MAIN = fileURLToPath(new URL("../../sysmon/src/main.ts", import.meta.url));
const TOKEN = "token-that-may-act";
const READ_TOKEN = "token-that-may-read";
const SOON = { withinMs: 20_000 };
const FILES: Files = {
  ".eserveless.yaml": `runtime: node
functions:
- name: API
  type: http
- name: Ticker
  type: cron
  schedule: "0 0 1 1 *"
`,
  "functions.js": `exports.API = (req, res) => { console.log("asked for " + req.url); res.end("hello"); };
exports.Ticker = () => console.error("ticked");
`,
};

const cluster = new FunctionsCluster();
let repository: GitRepository;
let deployed: Deployed;
let terminal: Terminal;
let browser: Browser;
let url = "";

before(async () => {
  const port = await findFreePort();
  url = `http://127.0.0.1:${port}`;
  [browser] = await Promise.all([openChromium(), cluster.start()]);
  repository = cluster.makeRepository(FILES, "shop");
  deployed = await cluster.deploy(repository);
  terminal = new Terminal({
    command: [process.execPath, MAIN],
    columns: 120,
    env: {
      REDIS_URL: cluster.cluster.redisUrl,
      KEY_PREFIX: cluster.cluster.keyPrefix,
      API_URL: cluster.url,
      NODE_NAME: "sysmon-1",
      SYSMON_PORT: String(port),
      SYSMON_TOKEN: TOKEN,
      SYSMON_READ_TOKEN: READ_TOKEN,
    },
  });
  await terminal.start();
  await terminal.untilShows(/worker@worker-1/, SOON);
});

after(async () => {
  await browser?.close();
  await terminal?.stop();
  await cluster.stop();
  assertNoChildLeft();
});

async function invoke(path: string): Promise<void> {
  const { status, text } = await cluster.ask("GET", `/invoke/${deployed.project}/API${path}`);
  assert.equal(status, 200, text);
}

async function openConsole(t: TestContext, hash: string, token: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const { page, faults } = await openPage(context);
  page.setDefaultTimeout(SOON.withinMs);
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults, []);
  });
  await page.goto(`${url}/#token=${token}`);
  await page.waitForSelector("body:not([data-scope=none])");
  await page.goto(`${url}/${hash}`);
  return page;
}

/** A cell of the row of a project or function, by its column's name. */
async function untilCell(page: Page, table: string, name: string, label: string, text: string): Promise<void> {
  const row = page.locator(`table.${table} tr`).filter({ has: page.getByText(name, { exact: true }) });
  const cell = row.locator(`td[data-label="${label}"]`);
  await until(async () => (await cell.textContent()) === text, { ...SOON, what: `${label} of ${name} is ${text}` });
}

test("the terminal shows a function's figures as they move, runs a cron function, and follows a log", async () => {
  await terminal.type("6");
  await terminal.untilShows(new RegExp(`^${deployed.project} {2}ready {2}deployment 1 {2}[0-9a-f]{8}`, "m"), SOON);
  await terminal.untilShows(/^ {2}API +http +on request +- +0 +0 /m);
  await invoke("/first");
  await terminal.untilShows(/^ {2}API +http +on request +- +1 +0 /m, SOON);
  await terminal.press("Enter");
  await terminal.untilShows(/\/API {2}http[\s\S]*runs 1 [\s\S]*LOG {2}live[\s\S]* stdout +asked for \/first/, SOON);
  await invoke("/second");
  await terminal.untilShows(/runs 2 [\s\S]* asked for \/first[\s\S]* asked for \/second/, SOON);
  await terminal.press("Escape");
  await terminal.untilShows(/^ {2}Ticker +cron +0 0 1 1 \* /m, SOON);
  await terminal.press("Down");
  await terminal.press("Enter");
  await terminal.untilShows(/\/Ticker {2}cron[\s\S]*nothing yet/, SOON);
  await terminal.type("t");
  await terminal.untilShows(
    /LAST RUNS\n +due \S+ ago +completed [\s\S]* stderr +ticked[\s\S]*\/Ticker: \{"run":/,
    SOON,
  );
});

test("the page shows them too, runs a cron function, and rolls a project back", async (t) => {
  repository.commit({ "functions.js": `${FILES["functions.js"]}// another\n` });
  await cluster.deploy(repository);
  const page = await openConsole(t, "#/functions", TOKEN);
  const { project } = deployed;
  await untilCell(page, "projects", project, "Deployment", "2");
  await untilCell(page, "projects", project, "Status", "ready");
  await page.click("[data-act=rollback]");
  await page.click("#confirm-yes");
  await untilCell(page, "projects", project, "Deployment", "3");
  await untilCell(page, "functions", "API", "Runs", "2");
  await invoke("/third");
  await untilCell(page, "functions", "API", "Runs", "3");
  await page.click("[data-act=tick]:visible");
  await untilCell(page, "functions", "Ticker", "Runs", "2");

  await page.click(".row-link:text-is('Ticker')");
  await page.locator(".runs tr.completed").nth(1).waitFor();
  await page.locator(".log li.warn").filter({ hasText: "ticked" }).nth(1).waitFor();
  await page.goto(`${url}/#/function/${project}/API`);
  await page.locator(".log li").filter({ hasText: "asked for /third" }).waitFor();
  await invoke("/fourth");
  await page.locator(".log li").filter({ hasText: "asked for /fourth" }).waitFor();
});

test("who may only read sees figures and logs, and nothing to act with", async (t) => {
  const page = await openConsole(t, "#/functions", READ_TOKEN);
  await untilCell(page, "projects", deployed.project, "Status", "ready");
  await page.locator(".row-link").first().waitFor();
  assert.equal(await page.locator("[data-act]:visible").count(), 0);
  await page.goto(`${url}/#/function/${deployed.project}/Ticker`);
  await page.locator(".log li").filter({ hasText: "ticked" }).first().waitFor();
  assert.equal(await page.locator("[data-act]:visible").count(), 0);
});
