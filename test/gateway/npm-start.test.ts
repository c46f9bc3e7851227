import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findFreePorts } from "@genserverless/local/ports.ts";
import { assertNoChildLeft, nodeChild } from "../tools/child.ts";
import { NpmStart } from "../tools/npm-start.ts";
import { until } from "../tools/until.ts";

const WITHIN = { withinMs: 60_000 };
const [gatewayPort, userFunctionPort] = await findFreePorts(2);
const cluster = new NpmStart({
  GATEWAY_REPLICAS: "2",
  GATEWAY_PORT: String(gatewayPort),
  USER_FUNCTION: `127.0.0.1:${userFunctionPort}`,
  API_REPLICAS: "1",
  WORKER_REPLICAS: "1",
});

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

test("npm start is ready without a user function; gateways wait for it with one line, and serve it when it comes", async () => {
  const readNodes = async () => {
    const view = (await (await fetch(`${cluster.url}/v1/cluster`)).json()) as {
      nodes: { role: string; held?: number }[];
    };
    return view.nodes.filter(({ role }) => role === "gateway");
  };
  const isThere = async () => (await readNodes()).length === 2;
  await until(isThere, { ...WITHIN, what: "both gateways are in the cluster" });
  const gateways = await readNodes();
  assert.ok(gateways.every(({ held }) => held === 0));
  const told = (name: string) => cluster.readLog(name).match(/discovery\.waiting/g)?.length;
  await until(() => told("gateway-1") && told("gateway-2"), { ...WITHIN, what: "both wait for the user function" });
  const cart = nodeChild({
    name: "shopping-cart",
    script: join(import.meta.dirname, "../../samples/shopping-cart/index.ts"),
    env: { PORT: String(userFunctionPort) },
  });
  await cart.start();
  const read = async () => (await fetch(`http://127.0.0.1:${gatewayPort}/carts/one`)).text();
  assert.equal(await until(read, { ...WITHIN, what: "the cart is served" }), '{"items":[]}');
  assert.deepEqual([told("gateway-1"), told("gateway-2")], [1, 1]);
  await cart.stop();
});
