/** The timer and the group of a function's process: they are as its manifest wants them, from one turn to the next. */

import type { FunctionSpec } from "@genserverless/shared/functions/manifest.ts";
import { Cron } from "croner";
import type { Context } from "genserverless";
import { readDuration } from "../src/manifest/quantities.ts";

const TICK = "tick";

/** What is as it was goes on undisturbed. */
export function listen(before: FunctionSpec | undefined, after: FunctionSpec, ctx: Context): void {
  if (!isSameSchedule(before, after)) schedule(after, ctx);
  if (before?.topic === after.topic) return;
  if (before?.topic !== undefined) ctx.leave(before.topic);
  if (after.topic !== undefined) ctx.join(after.topic);
}

function isSameSchedule(a: FunctionSpec | undefined, b: FunctionSpec): boolean {
  return a?.schedule === b.schedule && a?.timezone === b.timezone && a?.missed === b.missed;
}

function schedule({ schedule, timezone, missed }: FunctionSpec, ctx: Context): void {
  if (schedule === undefined) return void ctx.cancel(TICK);
  const options = { name: TICK, missed };
  const everyMs = readEvery(schedule);
  if (everyMs !== undefined) ctx.sendEvery(everyMs, "functions:tick", options);
  else ctx.cron(schedule, "functions:tick", { ...options, ...(timezone !== undefined && { timezone }) });
}

/** When a schedule is due after a time, both in ms since the epoch; undefined where there is none. */
export function findNext({ schedule, timezone = "UTC" }: FunctionSpec, after: number): number | undefined {
  if (schedule === undefined) return undefined;
  const everyMs = readEvery(schedule);
  if (everyMs !== undefined) return after + everyMs;
  return new Cron(schedule, { timezone, paused: true }).nextRun(new Date(after))?.getTime();
}

/** The ms of `@every <duration>`. */
function readEvery(schedule: string): number | undefined {
  const text = /^@every\s+(.*)$/.exec(schedule)?.[1];
  return text === undefined ? undefined : readDuration(text.trim());
}
