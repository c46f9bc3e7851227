import { defineServer, noreply, reply } from "genserverless";
import { z } from "zod";

const Settings = z.strictObject({ fetcher: z.string(), perSecond: z.number().positive().max(1_000).default(1) });

interface State extends z.infer<typeof Settings> {
  seen: Record<string, true>;
  /** What waits, by host. A host is in here as long as its timer runs. */
  waiting: Record<string, string[]>;
}

/**
 * The frontier of a crawler: urls come in any order and as often as they like; each goes out once, to the fetcher's cast,
 * and to each host at most so many in a second. Its timers are as durable as its queue, for as long as it is not stopped.
 */
export default defineServer({
  name: "frontier",
  version: 1,
  keepState: "never",
  init: (args: unknown): State => ({ ...Settings.parse(args), seen: {}, waiting: {} }),
  calls: {
    size: (_args, _from, state) => {
      const waiting = Object.values(state.waiting).reduce((sum, urls) => sum + urls.length, 0);
      return reply({ seen: Object.keys(state.seen).length, waiting }, state);
    },
  },
  casts: {
    add: {
      args: z.array(z.httpUrl()),
      handle: (urls, state, ctx) => {
        for (const url of urls.map((text) => new URL(text))) {
          if (state.seen[url.href]) continue;
          state.seen[url.href] = true;
          if (!state.waiting[url.host]) ctx.sendAfter(0, { next: url.host });
          state.waiting[url.host] = [...(state.waiting[url.host] ?? []), url.href];
        }
        return noreply(state);
      },
    },
  },
  infos: {
    next: {
      args: z.string(),
      handle: (host, state, ctx) => {
        const [url, ...rest] = state.waiting[host] ?? [];
        if (url === undefined) delete state.waiting[host];
        else {
          ctx.cast(state.fetcher, { fetch: url });
          state.waiting[host] = rest;
          ctx.sendAfter(Math.ceil(1_000 / state.perSecond), { next: host });
        }
        return noreply(state);
      },
    },
  },
});
