/** Uses the cart of a user over gRPC, and checks every answer: node samples/shopping-cart/client.ts [host] [port] [user] */

import assert from "node:assert/strict";
import { Client, credentials } from "@grpc/grpc-js";
import type protobuf from "protobufjs";
import { shoppingCart } from "./shoppingcart.ts";

const CALL_TIMEOUT_MS = 10_000;
const PRODUCT = { productId: "1337", name: "h4x0r" };

const [host = "localhost", port = "9000", userId = "viktor"] = process.argv.slice(2);
const client = new Client(`${host}:${port}`, credentials.createInsecure());

try {
  await expectItems([]);
  for (let added = 0; added < 8; added++) await call("AddItem", { userId, ...PRODUCT, quantity: 1 });
  await expectItems([{ ...PRODUCT, quantity: 8 }]);
  await call("RemoveItem", { userId, productId: PRODUCT.productId });
  await expectItems([]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  client.close();
}

async function expectItems(items: object[]): Promise<void> {
  const cart = await call("GetCart", { userId });
  console.log(`The cart of ${userId}: ${JSON.stringify(cart)}`);
  assert.deepEqual(cart, { items });
}

/** Resolves to the response as plain data; rejects with the status. */
function call(name: string, fields: object): Promise<object> {
  const method = shoppingCart.service.methods[name];
  method?.resolve();
  const request = method?.resolvedRequestType as protobuf.Type;
  const response = method?.resolvedResponseType as protobuf.Type;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/${shoppingCart.serviceName}/${name}`,
      (message: object) => Buffer.from(request.encode(message).finish()),
      (bytes) => response.toObject(response.decode(bytes), { arrays: true, defaults: true }),
      request.fromObject(fields),
      { deadline: Date.now() + CALL_TIMEOUT_MS },
      (error, answer = {}) => (error ? reject(error) : resolve(answer)),
    );
  });
}
