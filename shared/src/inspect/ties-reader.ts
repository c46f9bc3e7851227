/** Reads what ties a process to others and to time: its timers, monitors, links and groups. */

import type { Pid } from "../process/pid.ts";
import type { RedisLink } from "../redis/connection.ts";
import { type Keys, mailboxName } from "../redis/keys.ts";
import { toIso } from "./time.ts";

export interface TimerView {
  name: string;
  dueAt: string;
  everyMs?: number;
  cron?: string;
}

export interface TiesView {
  timers: TimerView[];
  /** The pids that it watches. */
  monitors: string[];
  links: string[];
  groups: string[];
  /** Whether some were left out because there are too many. */
  isCut: boolean;
}

const MOST = 1_000;

/** Up to about a thousand of them; undefined where there is no process. */
export async function readTies(link: RedisLink, keys: Keys, pid: Pid): Promise<TiesView | undefined> {
  const partition = keys.partitionOf(pid);
  const incarnation = await link.call<string | null>("hget", keys.process(partition, pid), "i");
  if (!incarnation) return undefined;
  const key = keys.own(partition, mailboxName(pid, incarnation));
  const [cursor, fields] = await link.call<[string, string[]]>("hscan", key, 0, "COUNT", MOST);
  const ties: TiesView = { timers: [], monitors: [], links: [], groups: [], isCut: cursor !== "0" };
  for (let at = 0; at < fields.length; at += 2) addTie(ties, fields[at] ?? "", fields[at + 1] ?? "");
  ties.timers.sort((a, b) => a.dueAt.localeCompare(b.dueAt));
  return ties;
}

function addTie({ timers, monitors, links, groups }: TiesView, field: string, text: string): void {
  const name = field.slice(2);
  if (field.startsWith("t:")) timers.push(readTimer(name, text));
  else if (field.startsWith("m:")) monitors.push(text);
  else if (field.startsWith("l:")) links.push(name);
  else if (field.startsWith("g:")) groups.push(name);
}

function readTimer(name: string, text: string): TimerView {
  const { dueAt, everyMs, cron } = JSON.parse(text) as { dueAt: number; everyMs?: number; cron?: string };
  return { name, dueAt: toIso(String(dueAt)), ...(everyMs && { everyMs }), ...(cron && { cron }) };
}
