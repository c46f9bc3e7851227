/** When a timer that goes on is due again, and what becomes of the ticks that it missed. Pure: time is an argument. */

import { Cron } from "croner";
import { EffectError } from "./turn-errors.ts";
import type { Timer } from "./ties.ts";

export type Schedule = Pick<Timer, "everyMs" | "cron" | "timezone">;

export interface Tick {
  /** Whether this tick runs; one that was missed under `skip` does not. */
  runs: boolean;
  /** When the next is due; undefined for a timer that fires once, or a cron expression that never comes again. */
  nextAt: number | undefined;
}

/** Throws EffectError where the expression or the time zone is none, or where it will never be due. */
export function checkCron(expression: unknown, timezone: unknown, now: number): number {
  if (typeof expression !== "string") throw new EffectError(`a cron expression is a text, not ${typeof expression}`);
  let next: number | undefined;
  try {
    next = nextCron(expression, timezone as string | undefined, now);
  } catch (error) {
    throw new EffectError(
      `the cron expression ${JSON.stringify(expression.slice(0, 100))}` +
        `${timezone === undefined ? "" : ` in ${JSON.stringify(timezone)}`} is not valid: ${(error as Error).message}`,
    );
  }
  if (next === undefined) throw new EffectError(`the cron expression ${JSON.stringify(expression)} is never due`);
  return next;
}

/** What to do with a tick that was due at `dueAt` and whose turn comes at `now`. A tick is missed once the next one is due. */
export function readTick({ dueAt, missed = "once", ...schedule }: Timer, now: number): Tick {
  const next = nextAfter(schedule, dueAt);
  const isMissed = next !== undefined && next <= now;
  if (!isMissed || missed === "all") return { runs: true, nextAt: next };
  return { runs: missed === "once", nextAt: firstAfter(schedule, dueAt, now) };
}

function nextAfter({ everyMs, cron, timezone }: Schedule, at: number): number | undefined {
  if (everyMs !== undefined) return at + everyMs;
  return cron === undefined ? undefined : nextCron(cron, timezone, at);
}

/** The first tick after `now` of a schedule that was last due at `dueAt`. */
function firstAfter(schedule: Schedule, dueAt: number, now: number): number | undefined {
  const { everyMs } = schedule;
  if (everyMs === undefined) return nextAfter(schedule, now);
  return dueAt + (Math.floor((now - dueAt) / everyMs) + 1) * everyMs;
}

function nextCron(expression: string, timezone = "UTC", after: number): number | undefined {
  const cron = new Cron(expression, { timezone, mode: "5-or-6-parts", paused: true });
  return cron.nextRun(new Date(after))?.getTime();
}
