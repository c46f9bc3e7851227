import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  anyOf,
  FIRST,
  LATER,
  type Message,
  RawBackend,
  readAny,
} from "../../sdk/src/user-function/raw-backend.test-support.ts";
import { shoppingCart } from "./shoppingcart.ts";

const PACKAGE = "com.example.shoppingcart";
const EGGS = { productId: "123", name: "Eggs" };
const MILK = { productId: "789", name: "Milk" };

let backend: RawBackend;

before(async () => {
  backend = new RawBackend(await shoppingCart.start({ bindAddress: "127.0.0.1" }));
});

after(async () => {
  backend[Symbol.dispose]();
  await shoppingCart.shutdown();
});

for (const protocol of [FIRST, LATER]) {
  const name = protocol === FIRST ? "first protocol" : "later protocol";

  test(`${name}: a cart adds up quantities, and loses what is removed`, async () => {
    const answers = await run(protocol, [
      ["AddItem", { ...EGGS, quantity: 2 }],
      ["AddItem", { ...MILK, quantity: 1 }],
      ["AddItem", { ...MILK, quantity: 2 }],
      ["RemoveItem", { productId: EGGS.productId }],
      ["GetCart", {}],
    ]);
    const events = answers.slice(0, 4).map(({ events: [event] }) => readAny(shoppingCart.root, event)["type"]);
    assert.deepEqual(events, ["ItemAdded", "ItemAdded", "ItemAdded", "ItemRemoved"]);
    assert.deepEqual(answers.at(-1)?.items, [{ ...MILK, quantity: 3 }]);
  });

  test(`${name}: what is missing cannot be removed, and nothing less than one is added`, async () => {
    const answers = await run(protocol, [
      ["RemoveItem", { productId: "456" }],
      ["AddItem", { ...EGGS, quantity: 0 }],
      ["AddItem", { ...EGGS, quantity: -3 }],
      ["GetCart", {}],
    ]);
    const failures = answers.map(({ failure }) => failure);
    const negative = "Cannot add negative quantity to item 123";
    assert.deepEqual(failures, ["Item 456 not in cart", negative, negative, undefined]);
    assert.deepEqual(answers.at(-1)?.items, []);
  });

  test(`${name}: an emptied cart is a snapshot too, and comes back from it`, async () => {
    const answers = await run(protocol, [
      ["AddItem", { ...EGGS, quantity: 1 }],
      ["AddItem", { ...EGGS, quantity: 1 }],
      ["AddItem", { ...EGGS, quantity: 1 }],
      ["AddItem", { ...EGGS, quantity: 1 }],
      ["RemoveItem", { productId: EGGS.productId }],
    ]);
    const snapshots = answers.map(({ snapshot }) => snapshot);
    assert.deepEqual(snapshots.slice(0, 4), Array(4).fill(null));
    const [answer] = await run(protocol, [["GetCart", {}]], { snapshotSequence: 5, snapshot: snapshots[4] });
    assert.deepEqual(answer?.items, []);
  });
}

interface Answer {
  events: unknown[];
  snapshot: unknown;
  failure: string | undefined;
  items: unknown;
}

/** The answers to these commands, from an entity that has just woken. */
async function run(protocol: string, commands: [string, Message][], snapshot?: Message): Promise<Answer[]> {
  const stream = backend.open(protocol);
  stream.send({ init: { serviceName: shoppingCart.serviceName, entityId: "viktor", snapshot } });
  for (const [index, [name, fields]] of commands.entries()) {
    const type = shoppingCart.service.methods[name]?.requestType ?? "";
    const payload = anyOf(shoppingCart.lookupType(`${PACKAGE}.${type}`), { userId: "viktor", ...fields });
    stream.send({ command: { entityId: "viktor", id: index + 1, name, payload } });
  }
  return (await stream.end().rest()).map(readAnswer);
}

function readAnswer(answer: Message): Answer {
  const reply = answer["reply"] as Message | undefined;
  const action = reply?.["clientAction"] as { reply?: { payload: object }; failure?: Message } | undefined;
  const failure = (answer["failure"] ?? action?.failure) as { description: string } | undefined;
  const payload = action ? action.reply?.payload : reply?.["payload"];
  return {
    events: (reply?.["events"] as unknown[]) ?? [],
    snapshot: reply?.["snapshot"] ?? null,
    failure: failure?.description,
    items: payload ? readAny(shoppingCart.root, payload)["items"] : undefined,
  };
}
