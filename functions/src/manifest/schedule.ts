/** Which schedules a manifest may have: five or six cron fields, a nickname, or `@every` and a duration. */

import type { FunctionSpec } from "@genserverless/shared/functions/manifest.ts";
import { Cron } from "croner";
import { readDuration } from "./quantities.ts";

const LEAST_EVERY_MS = 1_000;
const MOST_EVERY_MS = 366 * 24 * 3_600_000;
/** As the cluster takes them. */
const LONGEST_CRON = 256;
const NICKNAMES = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/;

/** When a schedule is due after a time, both in ms since the epoch; undefined where there is none. */
export function findNext({ schedule, timezone = "UTC" }: FunctionSpec, after: number): number | undefined {
  if (schedule === undefined) return undefined;
  const everyMs = readEvery(schedule);
  if (everyMs !== undefined) return after + everyMs;
  return new Cron(schedule, { timezone, paused: true }).nextRun(new Date(after))?.getTime();
}

/** The ms of `@every <duration>`; undefined for a schedule of another kind. */
export function readEvery(schedule: string): number | undefined {
  const text = /^@every\s+(.*)$/.exec(schedule)?.[1];
  return text === undefined ? undefined : readDuration(text.trim());
}

/** What is wrong with a schedule, in words; undefined where it is right. */
export function explainSchedule(schedule: string): string | undefined {
  const every = /^@every\s+(.*)$/.exec(schedule)?.[1];
  return every === undefined ? explainCron(schedule) : explainEvery(every);
}

export function explainTimezone(timezone: string): string | undefined {
  try {
    new Intl.DateTimeFormat("en", { timeZone: timezone });
    return undefined;
  } catch {
    return "is no time zone, such as Europe/Berlin";
  }
}

function explainEvery(text: string): string | undefined {
  const ms = readDuration(text.trim());
  if (ms === undefined) return "needs a duration after @every, such as 90s or 1h30m";
  if (ms < LEAST_EVERY_MS || ms > MOST_EVERY_MS)
    return "can be due every second at the most and once a year at the least";
  return undefined;
}

function explainCron(schedule: string): string | undefined {
  if (schedule.length > LONGEST_CRON) return `is longer than ${LONGEST_CRON} characters`;
  const isNickname = NICKNAMES.test(schedule);
  const fields = schedule.trim().split(/\s+/).length;
  // The library takes a date for a pattern that is due once, and seven fields for one with years.
  if (!isNickname && (fields < 5 || fields > 6 || schedule.includes(":"))) {
    return "needs five or six cron fields, @hourly, @daily, … or @every and a duration";
  }
  try {
    return new Cron(schedule, { paused: true, timezone: "UTC" }).nextRun() ? undefined : "is never due";
  } catch (error) {
    return `is no cron expression: ${(error as Error).message.slice(0, 200)}`;
  }
}
