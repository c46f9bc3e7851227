/**
 * The module of the property tests. What it does by one order follows from its state alone, and what reaches it from
 * different senders is kept apart, so that a plain model can say what its state must be whatever came first.
 */

import { type Context, defineServer, type From, noreply, reply, type ServerModule } from "genserverless";

/** A message that one player sends to the next of a tour, numbered by its sender for just that player. */
interface Ball {
  ball: { from: string; number: number; tour: string[] };
}

type PlayerCall =
  | { add: number }
  /** Adds to another player by a call of its own; the reply is that one's. */
  | { ask: string; add: number }
  /** Answered by a timer. */
  | { defer: number }
  | { watch: string }
  | { cancel: string };

type PlayerCast =
  /** Throws `balls` balls, each along all of the tour. */
  { throw: { tour: string[]; balls: number } } | { alarm: { ms: number; name?: string } } | { fail: true } | Ball;

type PlayerInfo = { rung: true } | { answer: From } | { type: "DOWN"; pid: string };

export interface PlayerState {
  version: number;
  /** Of this life, by which others know it. */
  name: string;
  total: number;
  thrown: Record<string, number>;
  /** By sender, the numbers of what came. */
  caught: Record<string, number[]>;
  rung: number;
  downs: Record<string, number>;
}

export function definePlayer(version: number): ServerModule {
  return defineServer({
    name: "player",
    version,
    init: (name: string): PlayerState => ({ version, name, total: 0, thrown: {}, caught: {}, rung: 0, downs: {} }),
    handleCall: async (message: PlayerCall, from, state, ctx) => {
      if ("ask" in message)
        return reply(await ctx.call(message.ask, { add: message.add }, { timeoutMs: 20_000 }), state);
      if ("watch" in message) return reply(ctx.monitor(message.watch).length > 0, state);
      if ("cancel" in message) return reply(ctx.cancel(message.cancel), state);
      if ("defer" in message) {
        ctx.sendAfter(message.defer, { answer: from });
        return noreply(state);
      }
      state.total += message.add;
      return reply(state.total, state);
    },
    handleCast: (message: PlayerCast, state, ctx) => {
      if ("fail" in message) {
        state.total = Number.NaN;
        throw new Error("as asked");
      }
      if ("alarm" in message) ctx.sendAfter(message.alarm.ms, { rung: true }, message.alarm);
      else if ("throw" in message) {
        for (let ball = 0; ball < message.throw.balls; ball++) pass(message.throw.tour, state, ctx);
      } else {
        const { from, number, tour } = message.ball;
        const caught = state.caught[from] ?? [];
        state.caught[from] = [...caught, number];
        pass(tour, state, ctx);
      }
      return noreply(state);
    },
    handleInfo: (message: PlayerInfo, state, ctx) => {
      if ("answer" in message) ctx.reply(message.answer, "late");
      else if ("rung" in message) state.rung += 1;
      else state.downs[message.pid] = (state.downs[message.pid] ?? 0) + 1;
      return noreply(state);
    },
    codeChange: (_from, state) => ({ ...(state as PlayerState), version }),
  }) as unknown as ServerModule;
}

function pass([next, ...tour]: string[], state: PlayerState, ctx: Context): void {
  if (next === undefined) return;
  const number = (state.thrown[next] ?? 0) + 1;
  state.thrown[next] = number;
  ctx.cast(next, { ball: { from: state.name, number, tour } });
}
