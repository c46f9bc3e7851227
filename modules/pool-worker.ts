import { defineServer, noreply, reply } from "genserverless";
import { z } from "zod";

const From = z.object({ pid: z.templateLiteral([z.string(), "/", z.string()]), messageId: z.string() });

/** Counts primes for whoever asked its pool. */
export default defineServer({
  name: "pool-worker",
  version: 1,
  init: () => ({ done: 0 }),
  calls: { done: (_args, _from, state) => reply(state.done, state) },
  casts: {
    work: {
      args: z.object({ primesBelow: z.number(), from: From }),
      handle: ({ primesBelow, from }, { done }, ctx) => {
        ctx.reply(from, countPrimes(primesBelow));
        return noreply({ done: done + 1 });
      },
    },
  },
});

function countPrimes(limit: number): number {
  const isComposite = new Uint8Array(limit);
  let count = 0;
  for (let number = 2; number < limit; number++) {
    if (isComposite[number]) continue;
    count += 1;
    for (let multiple = number * number; multiple < limit; multiple += number) isComposite[multiple] = 1;
  }
  return count;
}
