/** Serves the cart to a backend: node samples/shopping-cart/index.ts */

import { shoppingCart } from "./shoppingcart.ts";

await shoppingCart.start({ bindPort: Number(process.env["PORT"] ?? 8080) });

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void shoppingCart.shutdown());
