/** The shopping cart: one entity for each user, its state the lines of the cart. */

import { fileURLToPath } from "node:url";
import { Entity, type EventSourcedContext } from "genserverless/user-function";

interface LineItem {
  productId: string;
  name: string;
  quantity: number;
}

type AddLineItem = LineItem & { userId: string };
type RemoveLineItem = { userId: string; productId: string };
type Cart = { items: LineItem[] };

const files = ["shoppingcart.proto", "domain.proto"].map((file) =>
  fileURLToPath(new URL(`proto/${file}`, import.meta.url)),
);

export const shoppingCart = new Entity<Cart>(files, "com.example.shoppingcart.ShoppingCart", {
  persistenceId: "shopping-cart",
  snapshotEvery: 5,
});

const stored = (name: string) => shoppingCart.lookupType(`com.example.shoppingcart.persistence.${name}`);
const ItemAdded = stored("ItemAdded");
const ItemRemoved = stored("ItemRemoved");
const StoredCart = stored("Cart");

const makeCart = (items: LineItem[]) => StoredCart.create({ items }) as object as Cart;

shoppingCart
  .setInitial(() => makeCart([]))
  .setBehavior(() => ({
    commandHandlers: { AddItem: addItem, RemoveItem: removeItem, GetCart: (_: object, cart) => cartOf(cart) },
    eventHandlers: { ItemAdded: itemAdded, ItemRemoved: itemRemoved },
  }));

function addItem({ productId, name, quantity }: AddLineItem, _cart: Cart, context: EventSourcedContext): object {
  if (quantity < 1) context.fail(`Cannot add negative quantity to item ${productId}`);
  context.emit(ItemAdded.create({ item: { productId, name, quantity } }));
  return {};
}

function removeItem({ productId }: RemoveLineItem, { items }: Cart, context: EventSourcedContext): object {
  if (!items.some((item) => item.productId === productId)) context.fail(`Item ${productId} not in cart`);
  context.emit(ItemRemoved.create({ productId }));
  return {};
}

/** The response has a type of its own, so that what is stored can change without the callers. */
function cartOf({ items }: Cart): Cart {
  return { items: items.map(({ productId, name, quantity }) => ({ productId, name, quantity })) };
}

function itemAdded({ item }: { item: LineItem }, { items }: Cart): Cart {
  const isSame = ({ productId }: LineItem) => productId === item.productId;
  if (!items.some(isSame)) return makeCart([...items, item]);
  return makeCart(items.map((old) => (isSame(old) ? { ...old, quantity: old.quantity + item.quantity } : old)));
}

function itemRemoved({ productId }: { productId: string }, { items }: Cart): Cart {
  return makeCart(items.filter((item) => item.productId !== productId));
}
