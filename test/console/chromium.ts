/** A headless Chromium for one test file: the system's own, installed through its package manager where it is missing. */

import { ensureServers } from "@genserverless/local/servers.ts";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

export async function openChromium(): Promise<Browser> {
  const { chromium: executablePath } = await ensureServers(["chromium"]);
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] });
}

/** A page whose scripts' errors, and everything that its policy refuses, are kept in `faults`. */
export async function openPage(context: BrowserContext): Promise<{ page: Page; faults: string[] }> {
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) faults.push(message.text());
  });
  return { page, faults };
}
