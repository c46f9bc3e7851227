import { defineServer, noreply, reply } from "genserverless";
import { z } from "zod";

const TICK_MS = 100;
const player = z.string().min(1).max(40);

interface State {
  tick: number;
  players: Record<string, { x: number; dx: number }>;
}

/**
 * A room of a game: it begins with the first who enters, moves everybody ten times a second, and tells the group
 * `game-room.<key>` where they are, which any process may join. An empty room sleeps, and costs nothing.
 */
export default defineServer({
  name: "game-room",
  version: 1,
  onDemand: true,
  keepState: "never",
  init: (): State => ({ tick: 0, players: {} }),
  calls: {
    enter: {
      args: player,
      handle: (name, _from, state, ctx) => {
        if (Object.keys(state.players).length === 0) ctx.sendEvery(TICK_MS, "tick", { name: "tick", missed: "skip" });
        const players = { [name]: { x: 0, dx: 0 }, ...state.players };
        return reply({ group: groupOf(ctx.key), players: Object.keys(players) }, { ...state, players });
      },
    },
  },
  casts: {
    steer: {
      args: z.object({ player, dx: z.number().min(-1).max(1) }),
      handle: ({ player, dx }, state) => {
        for (const [name, one] of Object.entries(state.players)) if (name === player) one.dx = dx;
        return noreply(state);
      },
    },
    leave: {
      args: player,
      handle: (name, state, ctx) => {
        const { [name]: _gone, ...players } = state.players;
        if (Object.keys(players).length > 0) return noreply({ ...state, players });
        ctx.cancel("tick");
        return noreply({ ...state, players }, "hibernate");
      },
    },
  },
  infos: {
    tick: (_args, { tick, players }, ctx) => {
      for (const one of Object.values(players)) one.x += one.dx;
      ctx.publish(groupOf(ctx.key), { tick: tick + 1, players });
      return noreply({ tick: tick + 1, players });
    },
  },
});

const groupOf = (key: string) => `game-room.${key}`;
