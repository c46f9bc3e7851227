/**
 * Whether a message still counts when its turn comes: one of a timer, a monitor or a link does only while that is there. What admits it changes the ties as part of the turn, so that the callback sees them as they are after the
 * message: a timer that has fired is gone, one that goes on is armed again.
 */

import type { Effect } from "../runtime/effects.ts";
import { readTick } from "../runtime/schedule.ts";
import type { KitProcess } from "./kit-process.ts";
import type { Mail } from "./mail.ts";

export interface Admission {
  /** `passes` is a tick that was missed and is not made up. */
  verdict: "runs" | "passes" | "stale";
  effects: readonly Effect[];
}

/** The timer of a return's `{ timeout }`; no author's has a name that begins so. */
export const TIMEOUT = "~timeout";

const RUNS: Admission = { verdict: "runs", effects: [] };
const STALE: Admission = { verdict: "stale", effects: [] };

export function admit(process: KitProcess, mail: Mail, now: number, newId: () => string): Admission {
  switch (mail.kind) {
    case "down":
      return process.ties.deleteMonitor(mail.ref) ? RUNS : STALE;
    case "exit":
      return !mail.refs || process.ties.removeLink(mail.pid, mail.refs) ? RUNS : STALE;
    case "info":
      return mail.timer === undefined ? RUNS : admitTick(process, { ...mail, name: mail.timer }, now, newId);
    default:
      return RUNS;
  }
}

interface TickMail {
  id: string;
  name: string;
  text: string;
}

function admitTick({ ties }: KitProcess, { id, name, text }: TickMail, now: number, newId: () => string): Admission {
  const timer = ties.timer(name);
  if (timer?.id !== id) return STALE;
  const { runs, nextAt } = readTick(timer, now);
  if (nextAt === undefined) {
    ties.deleteTimer(name);
    return RUNS;
  }
  const next = { ...timer, id: newId(), dueAt: nextAt };
  ties.setTimer(name, next);
  const arm: Effect = { do: "arm", name, timer: next, messageText: text };
  return { verdict: runs ? "runs" : "passes", effects: [arm] };
}

/** Another message has come before the timeout. */
export function cancelTimeout({ ties }: KitProcess): Effect[] {
  const timer = ties.timer(TIMEOUT);
  if (!timer) return [];
  ties.deleteTimer(TIMEOUT);
  return [{ do: "disarm", id: timer.id }];
}
