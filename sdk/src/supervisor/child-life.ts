/** How one child is started and stopped while its supervisor's turn waits. */

import type { Context } from "../contract.ts";
import { CallError, TurnEndedError } from "../runtime/turn-errors.ts";
import type { PlacedSpec } from "./child-spec.ts";

/** `ignored`: its init wanted no process; `homeless`: nobody runs its module; `unknown`: it may be there or not. */
export type StartResult = { kind: "started" | "ignored" } | { kind: "failed" | "homeless" | "unknown"; why: string };

/** As long as a turn can wait for anything. A child that takes longer is asked for again. */
const LONGEST_WAIT_MS = 600_000;
const KINDS: Record<string, "homeless" | "unknown"> = {
  no_workers: "homeless",
  call_timeout: "unknown",
  outcome_unknown: "unknown",
  redis_unavailable: "unknown",
  storage_full: "unknown",
};

/** A process that is there already counts as started: this turn may have run before, or somebody has started it. */
export async function startChild({ start, pid }: PlacedSpec, ctx: Context): Promise<StartResult> {
  const { module, args, tags, idleAfterMs } = start;
  try {
    await ctx.startAndWait(module, {
      key: pid.slice(module.length + 1),
      args,
      ...(tags && { tags }),
      ...(idleAfterMs !== undefined && { idleAfterMs: idleAfterMs === "infinity" ? Infinity : idleAfterMs }),
      timeoutMs: LONGEST_WAIT_MS,
    });
    return { kind: "started" };
  } catch (error) {
    if (error instanceof TurnEndedError) throw error;
    const why = (error as Error).message;
    if (!(error instanceof CallError)) return { kind: "failed", why };
    if (error.code === "init_ignored") return { kind: "ignored" };
    return { kind: KINDS[error.code] ?? "failed", why };
  }
}

/**
 * Stops children one after the other, the last one first, each within its time. One that takes longer, and one that is to be
 * stopped brutally, is killed: that leaves with the commit, and nobody waits for it.
 */
export async function stopInOrder(children: readonly PlacedSpec[], ctx: Context, untilMs: number): Promise<void> {
  for (const { id, pid, shutdown } of [...children].reverse()) {
    if (shutdown === "brutal-kill") ctx.exit(pid, "kill");
    else if (!(await stopChild(pid, shutdown, ctx, untilMs))) {
      ctx.log.error({ child: id, stopping: pid }, "a child did not stop in time and is killed");
      ctx.exit(pid, "kill");
    }
  }
}

/** Says whether it is gone. */
async function stopChild(pid: string, shutdown: number | "infinity", ctx: Context, untilMs: number): Promise<boolean> {
  const endsAt = Math.min(untilMs, shutdown === "infinity" ? Infinity : ctx.now() + shutdown);
  for (let first = true; ; first = false) {
    const leftMs = Math.max(endsAt - ctx.now(), first ? 1 : 0);
    if (leftMs < 1) return false;
    try {
      await ctx.stopAndWait(pid, "shutdown", { timeoutMs: Math.ceil(Math.min(leftMs, LONGEST_WAIT_MS)) });
      return true;
    } catch (error) {
      if (error instanceof TurnEndedError) throw error;
      if (!(error instanceof CallError && error.code === "call_timeout")) return false;
    }
  }
}
