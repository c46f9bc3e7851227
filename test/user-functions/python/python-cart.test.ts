import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { shoppingCart } from "../../../samples/shopping-cart/shoppingcart.ts";
import {
  anyOf,
  LATER,
  RawBackend,
  readAny,
  readDescriptorSet,
} from "../../../sdk/src/user-function/raw-backend.test-support.ts";
import { PythonCart } from "./python-cart.ts";

const INIT = { serviceName: shoppingCart.serviceName, entityId: "viktor" };
let cart: PythonCart;
let backend: RawBackend;

before(async () => {
  cart = await PythonCart.start();
  backend = new RawBackend(cart.port);
});

after(async () => {
  backend?.[Symbol.dispose]();
  await cart?.stop();
});

test("the cart in Python declares the same service as the cart in TypeScript", async () => {
  const spec = await backend.ask("cloudstate.EntityDiscovery", "discover", { protocolMinor: 2 });
  const mine = await ownSpec();
  assert.deepEqual(spec["entities"], mine["entities"]);
  assert.deepEqual(fileOf(spec, "shoppingcart.proto"), fileOf(mine, "shoppingcart.proto"));
});

test("the cart in Python adds, refuses and snapshots over the later protocol", async () => {
  const stream = backend
    .open(LATER)
    .send({ init: INIT }, ...[1, 2, 3, 4, 5].map(add), remove(6, "foo"), get(7))
    .end();
  const replies = (await stream.rest()).map(({ reply }) => reply as Reply);
  assert.deepEqual(
    replies.map(({ commandId }) => commandId),
    [1, 2, 3, 4, 5, 6, 7],
  );
  assert.deepEqual(
    replies.map(({ snapshot }) => snapshot !== null),
    [false, false, false, false, true, false, false],
  );
  assert.equal(replies[5]?.clientAction.failure?.description, "Item foo not in cart");
  assert.deepEqual(readCart(replies[6]), [{ productId: "1337", name: "h4x0r", quantity: 5 }]);
});

test("the cart in Python comes back from a snapshot and the events behind it", async () => {
  const stored = anyOf(shoppingCart.lookupType("com.example.shoppingcart.persistence.Cart"), {
    items: [{ productId: "1337", name: "h4x0r", quantity: 5 }],
  });
  const removed = anyOf(shoppingCart.lookupType("com.example.shoppingcart.persistence.ItemRemoved"), {
    productId: "1337",
  });
  const init = { ...INIT, snapshot: { snapshotSequence: 5, snapshot: stored } };
  const messages = [{ init }, { event: { sequence: 6, payload: removed } }, get(1)];
  const [answer] = await backend
    .open(LATER)
    .send(...messages)
    .end()
    .rest();
  assert.deepEqual(readCart(answer?.["reply"] as Reply), []);
});

interface Reply {
  commandId: number;
  snapshot: object | null;
  clientAction: { reply: { payload: object } | null; failure?: { description: string } | null };
}

function command(id: number, name: string, type: string, fields: object) {
  const payload = anyOf(shoppingCart.lookupType(`com.example.shoppingcart.${type}`), { userId: "viktor", ...fields });
  return { command: { entityId: "viktor", id, name, payload } };
}

function add(id: number) {
  return command(id, "AddItem", "AddLineItem", { productId: "1337", name: "h4x0r", quantity: 1 });
}

function remove(id: number, productId: string) {
  return command(id, "RemoveItem", "RemoveLineItem", { productId });
}

function get(id: number) {
  return command(id, "GetCart", "GetShoppingCart", {});
}

function readCart(reply: Reply | undefined): unknown {
  return readAny(shoppingCart.root, reply?.clientAction.reply?.payload)["items"];
}

/** Python leaves out the names of fields in JSON, which follow from the others. */
function fileOf(spec: Record<string, unknown>, name: string): unknown {
  const file = readDescriptorSet(spec["proto"] as Uint8Array).file.find((each) => each["name"] === name);
  return JSON.parse(JSON.stringify(file, (key, value) => (key === "jsonName" ? undefined : value)));
}

async function ownSpec() {
  const port = await shoppingCart.start({ bindAddress: "127.0.0.1" });
  try {
    using own = new RawBackend(port);
    return await own.ask("cloudstate.EntityDiscovery", "discover", { protocolMinor: 2 });
  } finally {
    await shoppingCart.shutdown();
  }
}
