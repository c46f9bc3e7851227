/** The timer and the group of a function's process: they are as its manifest wants them, from one turn to the next. */

import type { FunctionSpec } from "@genserverless/shared/functions/manifest.ts";
import type { Context } from "genserverless";
import { readEvery } from "../src/manifest/schedule.ts";

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
