/** The shopping cart as containers: its user function, the gateway and the cluster. Run by `npm run test:docker` alone. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { findFreePort } from "@genserverless/local/ports.ts";
import { until } from "../tools/until.ts";
import { ComposeProject, docker } from "./compose.ts";

const READY = { withinMs: 90_000 };
const CLIENT = join(import.meta.dirname, "../../samples/shopping-cart/client.ts");
const execute = promisify(execFile);
let project: ComposeProject;
let gatewayPort = "";

before(
  async () => {
    gatewayPort = String(await findFreePort());
    const settings = { COMPOSE_PROFILES: "shopping-cart", GATEWAY_PORT: gatewayPort, SESSION_TTL_MS: "2000" };
    project = await ComposeProject.create(settings);
    await project.run("build");
    await project.run("up", "-d");
    await until(isReady, READY);
  },
  { timeout: 12 * 60_000 },
);

after(() => project?.remove(), { timeout: 2 * 60_000 });

async function isReady(): Promise<boolean> {
  return (await fetch(`http://127.0.0.1:${gatewayPort}/ready`)).ok;
}

async function read(user: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${gatewayPort}/carts/${user}`)).text();
}

test("the client uses the cart over gRPC", async () => {
  const { stdout } = await execute(process.execPath, [CLIENT, "127.0.0.1", gatewayPort]);
  assert.equal(stdout.trim().split("\n").length, 3);
});

test("the cart is served over HTTP, and outlives its user function and the gateway", async () => {
  assert.equal(await read("test1"), '{"items":[]}');
  const body = JSON.stringify({ productId: "foo", name: "A foo", quantity: 10 });
  const url = `http://127.0.0.1:${gatewayPort}/cart/test1/items/add`;
  assert.equal((await fetch(url, { method: "POST", body })).status, 200);
  const cart = '{"items":[{"productId":"foo","name":"A foo","quantity":10}]}';
  assert.equal(await read("test1"), cart);
  for (const service of ["shopping-cart", "gateway"]) {
    const [container = ""] = await project.containers(service);
    await docker("restart", "--time", "5", container);
    await until(async () => (await read("test1")) === cart, { ...READY, what: `${service} is back` });
  }
});
