import { defineEntity } from "genserverless";
import { z } from "zod";

const Item = z.strictObject({ productId: z.string(), name: z.string(), quantity: z.int() });
type Item = z.infer<typeof Item>;
interface Cart {
  items: Item[];
}

/** A shopping cart, kept as what has happened to it. */
export default defineEntity({
  name: "cart",
  version: 1,
  initial: (): Cart => ({ items: [] }),
  events: {
    itemAdded: (item: Item, { items }) => {
      const there = items.find(({ productId }) => productId === item.productId);
      if (!there) return { items: [...items, item] };
      const more = { ...there, quantity: there.quantity + item.quantity };
      return { items: items.map((each) => (each === there ? more : each)) };
    },
    itemRemoved: ({ productId }: { productId: string }, { items }) => ({
      items: items.filter((item) => item.productId !== productId),
    }),
  },
  commands: {
    addItem: {
      args: Item,
      handle: (item, _cart, ctx) => {
        if (item.quantity < 1) ctx.fail(`Cannot add negative quantity to item ${item.productId}`);
        ctx.emit("itemAdded", item);
      },
    },
    removeItem: {
      args: z.strictObject({ productId: z.string() }),
      handle: ({ productId }, { items }, ctx) => {
        if (!items.some((item) => item.productId === productId)) ctx.fail(`Item ${productId} not in cart`);
        ctx.emit("itemRemoved", { productId });
      },
    },
    getCart: (_args, cart) => cart,
  },
  snapshotEvery: 5,
});
