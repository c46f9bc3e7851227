import { CallError, type Context, defineServer, noreply, reply, stop } from "genserverless";
import { z } from "zod";

/** Settings of the worker that has the process. */
const PAUSE_MS = readMs("WORK_PAUSE_MS", 3_000);
const SHOWN_MS = readMs("WORK_TTL_MS", 10_000);
const KEPT_MS = readMs("WORK_KEEP_MS", 3_600_000);
const HANDLER = process.env["WORK_MODULE"]?.trim();
const HANDLER_MS = 600_000;
const MOST_RESULT_BYTES = 4 * 1024 * 1024;

/** What a handler is asked again after: the cluster could not take the question, or does not know what became of it. */
const PASSING = new Set([
  "storage_full",
  "redis_unavailable",
  "no_workers",
  "outcome_unknown",
  "mailbox_full",
  "store_unavailable",
]);

const Work = z.object({ data: z.string() });

interface State extends Partial<z.infer<typeof Work>> {
  status: "pending" | "working" | "worked";
  result?: unknown;
  error?: string;
  /** Of worked work that is shown, in ms since the epoch: it is the answer to whoever asks for the same again. */
  shownUntil?: number;
}

/**
 * One piece of work, behind `POST /api/v1/work`: a pause, or a call of the module that WORK_MODULE names. The pause is a timer,
 * so it holds no worker; the call has the same id when it is repeated after a crash, so it is handled once.
 */
export default defineServer({
  name: "work",
  version: 1,
  onDemand: true,
  keepState: "never",
  turnTimeoutMs: HANDLER_MS + 30_000,
  init: (): State => ({ status: "pending" }),
  calls: {
    begin: { args: Work, handle: ({ data }, _from, state, ctx) => reply("accepted", begin(data, state, ctx)) },
  },
  casts: { begin: { args: Work, handle: ({ data }, state, ctx) => noreply(begin(data, state, ctx)) } },
  infos: {
    due: async (_tick, state, ctx) => noreply(state.status === "working" ? await carryOut(state, ctx) : state),
    hide: (_tick, { shownUntil, ...state }) => noreply(state),
    forget: (_tick, state) => stop("normal", state),
  },
});

/** Work that is there already stays as it is; shown once more, so that whoever was accepted also sees it. */
function begin(data: string, state: State, ctx: Context): State {
  if (state.status === "working") return state;
  if (state.shownUntil !== undefined) return show(state, ctx);
  const startMs = HANDLER ? 0 : PAUSE_MS;
  ctx.cancel("forget");
  ctx.sendAfter(startMs, "due", { name: "once" });
  // A message that was in hand at three deaths is set aside; the work is begun again all the same.
  ctx.sendEvery(startMs + 60_000, "due", { name: "again" });
  ctx.log.info({ status: "working" }, "work");
  return { status: "working", data };
}

async function carryOut({ data }: State, ctx: Context): Promise<State> {
  const came = HANDLER ? await ask(HANDLER, data, ctx) : { result: null };
  ctx.cancel("once");
  ctx.cancel("again");
  ctx.log.info({ status: "worked" }, "work");
  return show({ status: "worked", ...came }, ctx);
}

/** Until a timer hides it: whoever reads and whoever posts go by the state, so no two clocks have to agree. */
function show(state: State, ctx: Context): State {
  ctx.sendAfter(SHOWN_MS, "hide", { name: "hide" });
  ctx.sendAfter(SHOWN_MS + KEPT_MS, "forget", { name: "forget" });
  return { ...state, shownUntil: ctx.now() + SHOWN_MS };
}

/** The handler's process is there for this work alone. What it fails with is kept in the place of its result. */
async function ask(module: string, data: unknown, ctx: Context): Promise<Pick<State, "result" | "error">> {
  const pid = `${module}/${ctx.key}`;
  try {
    await ctx.startAndWait(module, { key: ctx.key });
    const result = await ctx.call(pid, { data }, { timeoutMs: HANDLER_MS });
    const isTooLarge = Buffer.byteLength(JSON.stringify(result)) > MOST_RESULT_BYTES;
    return isTooLarge ? { error: `the result has more than ${MOST_RESULT_BYTES} bytes` } : { result };
  } catch (error) {
    if (!(error instanceof CallError) || PASSING.has(error.code)) throw error;
    return { error: error.message };
  } finally {
    ctx.stop(pid);
  }
}

function readMs(name: string, fallback: number): number {
  const ms = Number(process.env[name]?.trim() || fallback);
  if (Number.isInteger(ms) && ms >= 0 && ms <= 86_400_000) return ms;
  throw new Error(`${name} must be a whole number of ms from 0 to 86400000`);
}
