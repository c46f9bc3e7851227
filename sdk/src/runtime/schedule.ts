/** When a timer that goes on is due again, and what becomes of the ticks that it missed. Pure: time is an argument. */

import { Cron } from "croner";
import type { Timer } from "./ties.ts";
import { EffectError } from "./turn-errors.ts";

export type Schedule = Pick<Timer, "everyMs" | "cron" | "timezone">;

export interface Tick {
  /** Whether this tick runs; one that was missed under `skip` does not. */
  runs: boolean;
  /** When the next is due; undefined for a timer that fires once, or a cron expression that never comes again. */
  nextAt: number | undefined;
}

const LONGEST_EXPRESSION = 256;
const LONGEST_TIMEZONE = 64;

/** When it is due first. Throws EffectError where the expression or the time zone is none, or where it is never due. */
export function checkCron(expression: unknown, timezone: unknown, now: number): number {
  if (typeof expression !== "string" || expression.length > LONGEST_EXPRESSION) {
    throw new EffectError(`ctx.cron: the expression must be a text of at most ${LONGEST_EXPRESSION} characters`);
  }
  if (timezone !== undefined && !isTimezone(timezone)) {
    throw new EffectError(`ctx.cron: the time zone must be a text of 1 to ${LONGEST_TIMEZONE} characters`);
  }
  const what = `ctx.cron: ${JSON.stringify(expression)}${timezone === undefined ? "" : ` in ${timezone}`}`;
  // The library takes a date for a pattern that is due once.
  if (expression.includes(":")) throw new EffectError(`${what} is a time; for one message use ctx.sendAfter`);
  let next: number | undefined;
  try {
    next = nextCron(expression, timezone as string | undefined, now);
  } catch (error) {
    throw new EffectError(`${what} is not valid: ${(error as Error).message.slice(0, 300)}`);
  }
  if (next === undefined) throw new EffectError(`${what} is never due`);
  return next;
}

function isTimezone(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= LONGEST_TIMEZONE;
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
