/** The acceptance script of the first backend, and the HTTP script of the later one: a cart in TypeScript, and one in Python. */

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { findFreePort } from "@genserverless/local/ports.ts";
import { type ServiceError, status } from "@grpc/grpc-js";
import type protobuf from "protobufjs";
import { shoppingCart } from "../../samples/shopping-cart/shoppingcart.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { PythonCart } from "../user-functions/python/python-cart.ts";
import { type Gateway, GatewayCluster } from "./gateway-cluster.ts";

const WITHIN = { withinMs: 30_000 };

/** One of the ways in which a cart is served. */
interface UserFunction {
  start(world: GatewayCluster, port: number): Promise<void>;
  /** At once, as a machine that loses its power. */
  kill(): Promise<void>;
}

function inTypeScript(): UserFunction {
  let kill = async () => {};
  return {
    async start(world, port) {
      const child = await world.startProgram(`cart-${port}`, "samples/shopping-cart/index.ts", [], {
        PORT: String(port),
      });
      await child.untilLine(/started on/, { ...WITHIN, what: "it serves" });
      kill = () => child.kill();
    },
    kill: () => kill(),
  };
}

function inPython(): UserFunction {
  let cart: PythonCart | undefined;
  return {
    async start(_world, port) {
      cart = await PythonCart.start(port);
    },
    async kill() {
      await cart?.stop();
    },
  };
}

for (const [language, create] of [
  ["TypeScript", inTypeScript],
  ["Python", inPython],
] as const) {
  suite(`the shopping cart in ${language}`, () => {
    const world = new GatewayCluster({ apis: 1 });
    const userFunction = create();
    let port = 0;
    let gateway: Gateway;

    before(async () => {
      await world.start();
      port = await findFreePort();
      gateway = await world.startGateway(port, { PASSIVATION_TIMEOUT_MS: "500", RELAY_TIMEOUT_MS: "5000" });
      await userFunction.start(world, port);
      await gateway.untilOpen();
    });
    after(async () => {
      await userFunction.kill();
      await world.stop();
      assertNoChildLeft();
    });

    async function call(name: string, fields: object): Promise<Record<string, unknown>> {
      const method = shoppingCart.service.methods[name];
      method?.resolve();
      const request = method?.resolvedRequestType as protobuf.Type;
      const response = method?.resolvedResponseType as protobuf.Type;
      const sent = Buffer.from(request.encode(request.fromObject(fields)).finish());
      const answer = await gateway.callRaw(sent, { method: `/${shoppingCart.serviceName}/${name}` });
      return response.toObject(response.decode(answer), { arrays: true, defaults: true });
    }

    const add = (userId: string, productId: string, name: string, quantity: number) =>
      call("AddItem", { userId, productId, name, quantity });
    const itemsOf = async (userId: string) => (await call("GetCart", { userId }))["items"];

    test("the client fills a cart, looks, and empties it", async () => {
      const client = await world.startProgram("client", "samples/shopping-cart/client.ts", [
        "127.0.0.1",
        String(gateway.port),
      ]);
      assert.equal((await client.untilExit()).code, 0, client.lastWords());
      assert.deepEqual(
        client.stdout.map((line) => line.slice(line.indexOf("{"))),
        ['{"items":[]}', '{"items":[{"productId":"1337","name":"h4x0r","quantity":8}]}', '{"items":[]}'],
      );
    });

    test("a cart is the same after it was put to sleep", async () => {
      await add("user-1", "123", "Eggs", 2);
      await add("user-1", "456", "Flour", 4);
      await add("user-1", "456", "Flour", 2);
      await add("user-1", "789", "Milk", 1);
      await add("user-1", "789", "Milk", 2);
      await call("RemoveItem", { userId: "user-1", productId: "456" });
      const cart = [
        { productId: "123", name: "Eggs", quantity: 2 },
        { productId: "789", name: "Milk", quantity: 3 },
      ];
      assert.deepEqual(await itemsOf("user-1"), cart);
      const isAsleep = async () => {
        const { body } = await world.cluster.client.read("shopping-cart/user-1", { withState: false });
        return body["owner"] === null;
      };
      await until(isAsleep, { ...WITHIN, what: "it sleeps" });
      assert.deepEqual(await itemsOf("user-1"), cart);
    });

    test("what cannot be done fails with the user function's text", async () => {
      await assert.rejects(call("RemoveItem", { userId: "user-2", productId: "none" }), {
        code: status.UNKNOWN,
        details: "Item none not in cart",
      });
      await assert.rejects(add("user-2", "1", "Debt", -1), {
        code: status.UNKNOWN,
        details: "Cannot add negative quantity to item 1",
      });
    });

    test("concurrent commands on one cart are serial: none is lost", async () => {
      await Promise.all(Array.from({ length: 30 }, () => add("crowd", "1", "Egg", 1)));
      assert.deepEqual(await itemsOf("crowd"), [{ productId: "1", name: "Egg", quantity: 30 }]);
    });

    test("the HTTP script: look, add, look", async () => {
      const url = `${gateway.url}/carts/test1`;
      assert.equal(await (await fetch(url)).text(), '{"items":[]}');
      const body = JSON.stringify({ productId: "foo", name: "A foo", quantity: 10 });
      const added = await fetch(`${gateway.url}/cart/test1/items/add`, { method: "POST", body });
      assert.deepEqual([added.status, await added.text()], [200, "{}"]);
      assert.equal(await (await fetch(url)).text(), '{"items":[{"productId":"foo","name":"A foo","quantity":10}]}');
      assert.equal(await (await fetch(`${url}/items`)).text(), '[{"productId":"foo","name":"A foo","quantity":10}]');
      const removed = await fetch(`${gateway.url}/cart/test1/items/foo/remove`, { method: "POST" });
      assert.equal(removed.status, 200);
      const again = await fetch(`${gateway.url}/cart/test1/items/foo/remove`, { method: "POST" });
      assert.deepEqual([again.status, await again.text()], [500, "Item foo not in cart"]);
    });

    test("the user function is killed, and started again: the next call replays", async () => {
      await add("survivor", "1", "Egg", 1);
      await userFunction.kill();
      await assert.rejects(add("survivor", "1", "Egg", 1), (error: ServiceError) =>
        [status.UNKNOWN, status.UNAVAILABLE].includes(error.code),
      );
      await userFunction.start(world, port);
      const items = await until(() => itemsOf("survivor"), { ...WITHIN, what: "the cart is back" });
      assert.deepEqual(items, [{ productId: "1", name: "Egg", quantity: 1 }]);
    });
  });
}
