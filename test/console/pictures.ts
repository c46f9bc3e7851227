/**
 * Makes the pictures of docs/console/: a cluster with something to see, each view in light, dark and narrow.
 * Run it with `node test/console/pictures.ts`, and look at what it made.
 */

import { join } from "node:path";
import { findFreePort } from "@genserverless/local/ports.ts";
import type { Browser, Page } from "playwright-core";
import { TOKEN as FUNCTIONS_TOKEN, FunctionsService } from "../functions/functions-service.ts";
import { SEED } from "../functions/git-repository.ts";
import { until } from "../tools/until.ts";
import { openChromium, openPage } from "./chromium.ts";
import { ConsoleCluster, TOKEN } from "./console-cluster.ts";

const FOLDER = join(import.meta.dirname, "../../docs/console");
const WARM_UP_MS = 45_000;
const LOOKS = {
  light: { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  narrow: { viewport: { width: 360, height: 740 }, colorScheme: "light", deviceScaleFactor: 2 },
} as const;
const VIEWS = {
  overview: "#/overview",
  nodes: "#/nodes",
  processes: "#/processes",
  process: "#/process/account/alice",
  logs: "#/logs",
  events: "#/events",
  functions: "#/functions",
  function: "#/function/alice-shop/Ticker",
};

const port = await findFreePort();
const functions = new FunctionsService({ FUNCTIONS_PORT: String(port), FUNCTIONS_IDLE_MS: "120000" });
const repository = functions.makeRepository(SEED, "shop");
const env = { FUNCTIONS_URL: `http://127.0.0.1:${port}`, FUNCTIONS_TOKEN };
const cluster = new ConsoleCluster({ workers: 3, apis: 2, modulesDir: "modules:functions/modules", env });
const client = () => cluster.cluster.client;

await Promise.all([functions.start(), cluster.start()]);
const browser = await openChromium();
try {
  await populate();
  await work(WARM_UP_MS);
  for (const look of Object.keys(LOOKS) as (keyof typeof LOOKS)[]) await draw(browser, look);
} finally {
  await browser.close();
  await cluster.stop();
  await functions.stop();
}

async function populate(): Promise<void> {
  const names = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
  for (const [index, name] of names.entries()) {
    await client().start("accumulator", name, { args: index * 10, options: { tags: index % 2 ? ["demo"] : [] } });
    await client().cast(`account/${name}`, { deposit: { amount: 100 * (index + 1) } });
  }
  await client().start("stack", "undo", { args: [{ edit: "insert", at: 14, text: "hello" }] });
  await client().cast("account/alice", { withdraw: { amount: "a lot" } });
  await client().cast("accumulator/bob", "not a number");
  await client().request("POST", "/v1/processes/accumulator/carol/pause", {});
  for (let index = 0; index < 12; index++) await client().cast("accumulator/carol", index);
  await client().cast("account/alice", { deposit: { amount: 25 } }, { delayMs: 3_600_000 });
  await deploy();
}

async function deploy(): Promise<void> {
  await client().request("POST", "/api/projects", { repository: repository.path });
  const isReady = async () => (await client().get("/invoke/alice-shop/API")).status === 200;
  await until(isReady, { withinMs: 60_000, what: "the function answers" });
  for (let at = 0; at < 40; at++) await client().get("/invoke/alice-shop/API");
  for (let at = 0; at < 3; at++) await client().request("POST", "/ticks/alice-shop/Ticker", {});
}

/** Some load, that comes and goes, so that the charts have something to show. */
async function work(forMs: number): Promise<void> {
  const endsAt = performance.now() + forMs;
  const pids = ["accumulator/alice", "accumulator/bob", "accumulator/dave", "accumulator/erin"];
  while (performance.now() < endsAt) {
    const width = 2 + Math.round(8 * (1 + Math.sin(performance.now() / 6000)));
    const calls = Array.from({ length: width }, (_, index) =>
      client().call(pids[index % pids.length] ?? "", { add: 1 }),
    );
    await Promise.all([...calls, new Promise((resolve) => setTimeout(resolve, 60))]);
  }
}

async function draw(browser: Browser, look: keyof typeof LOOKS): Promise<void> {
  const context = await browser.newContext(LOOKS[look]);
  // The folder that the repository is in is not worth a picture.
  await context.route("**/api/functions", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ body: (await answer.text()).replaceAll(repository.path, "https://github.com/alice/shop") });
  });
  const { page } = await openPage(context);
  await page.goto(`${cluster.url}/#token=${TOKEN}`);
  await page.waitForSelector("body:not([data-scope=none])");
  for (const [name, hash] of Object.entries(VIEWS)) {
    await page.goto(`${cluster.url}/${hash}`);
    await page.locator("main .panel").first().waitFor();
    if (name === "process") await showCall(page);
    if (name === "functions") await page.locator(".row-link").first().waitFor();
    await work(1_500);
    await page.evaluate("scrollTo(0, 0)");
    await page.screenshot({ path: join(FOLDER, `${name}-${look}.png`) });
  }
  await context.unrouteAll({ behavior: "ignoreErrors" });
  await context.close();
}

async function showCall(page: Page): Promise<void> {
  await page.locator(".message option").first().waitFor({ state: "attached" });
  await page.click(".message [type=submit]");
  await page.locator(".outcome .good").waitFor();
  for (const amount of [5, 10, 15]) await client().cast("account/alice", { deposit: { amount } });
}
