import { type Context, defineServer, noreply } from "genserverless";

/** The processes `hopper/<prefix><index>`, `index` from 0 to `size - 1`. */
export interface Circle {
  prefix: string;
  size: number;
}

/** A cast that is passed on to another process of the circle, picked at random, until the time `until`, in ms since the epoch. */
export interface Hop {
  circle: Circle;
  until: number;
  /** Which hop of its token this is, from 1. */
  hop: number;
}

/** Sends `tokens` out, each to a process of its own choice. */
export interface Release {
  circle: Circle;
  until: number;
  tokens: number;
}

export interface Hopped {
  handled: number;
  /** Tokens that came to their end here, and how many hops those have made in all. */
  ended: number;
  hops: number;
  /** When the last hop was handled, in ms since the epoch. */
  lastAt: number;
}

/** Bench W6. Whatever is cast to it counts once; with `until` in the past it goes nowhere from here. */
export default defineServer({
  name: "hopper",
  version: 1,
  init: (): Hopped => ({ handled: 0, ended: 0, hops: 0, lastAt: 0 }),
  handleCast: (message: Hop | Release, state, ctx) => {
    const { circle, until } = message;
    if ("tokens" in message) {
      for (let token = 0; token < message.tokens; token++) ctx.cast(pickOther(circle, ctx), { circle, until, hop: 1 });
      return noreply(state);
    }
    const { hop } = message;
    const lastAt = ctx.now();
    const handled = state.handled + 1;
    if (lastAt >= until) return noreply({ handled, ended: state.ended + 1, hops: state.hops + hop, lastAt });
    ctx.cast(pickOther(circle, ctx), { circle, until, hop: hop + 1 });
    return noreply({ ...state, handled, lastAt });
  },
});

function pickOther({ prefix, size }: Circle, { key }: Context): string {
  const own = Number(key.slice(prefix.length));
  return `hopper/${prefix}${(own + 1 + Math.floor(Math.random() * (size - 1))) % size}`;
}
