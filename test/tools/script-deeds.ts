/** What a turn in a world of scripts does beside its state, as the acts that its commit takes. */

import { seal } from "@genserverless/shared/cluster/envelope.ts";
import type { Act, SendKind } from "@genserverless/shared/cluster/leases.ts";
import { newMessageId } from "@genserverless/shared/process/message.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { type Keys, mailboxName } from "@genserverless/shared/redis/keys.ts";
import type { Fates } from "./script-fates.ts";

export type DeedName =
  | "cast"
  | "start"
  | "stop"
  | "exit"
  | "link"
  | "unlink"
  | "monitor"
  | "demonitor"
  | "join"
  | "leave"
  | "publish"
  | "arm"
  | "disarm"
  | "tags";

/** `to` picks a process; `ms` is a delay. */
export interface Deed {
  do: DeedName;
  to: number;
  ms: number;
}

/** Whose deed it is. */
export interface Doer {
  pid: Pid;
  incarnation: string;
  timers: string[];
  monitors: string[];
}

export interface Scene {
  keys: Keys;
  fates: Fates;
  /** The start that goes before the first message to a process, where that starts it: id and envelope; else "". */
  startOf: (to: Pid) => string;
}

const GROUP = "choir";

export function toActs(held: Doer, { do: what, ms }: Deed, to: Pid, { keys, fates, startOf }: Scene): Act[] {
  const own = held.pid;
  const start = startOf(to);
  const partition = keys.partitionOf(to);
  const send = (kind: SendKind, content: unknown): Act => sendTo(partition, to, kind, content);
  const toGroup = (kind: SendKind, content: unknown): Act => sendTo(keys.groupPartition(GROUP), GROUP, kind, content);
  switch (what) {
    case "cast": {
      const id = newMessageId(partition);
      if (ms === 0) fates.number(id, mailboxName(own, held.incarnation), to);
      return [["send", "cast", to, id, ms, start, seal(JSON.stringify(fates.noteOf(id)))]];
    }
    case "start":
      return [send("start", null)];
    case "stop":
      return [send("stop", { reason: "normal" })];
    case "exit":
      return [send("exit", { pid: own, reason: "boo" })];
    case "link": {
      const ref = `of-${held.incarnation}`;
      return [["watch", partition, to, ref], send("link", { pid: own, ref }), ["tie", `l:${to}`, ref]];
    }
    case "unlink": {
      const ref = `of-${held.incarnation}`;
      return [["unwatch", to, ref], send("unlink", { pid: own, refs: [ref] }), ["untie", `l:${to}`]];
    }
    case "monitor": {
      const ref = `r${fates.nextNumber()}`;
      held.monitors.push(`${ref} ${to}`);
      return [send("monitor", ref), ["tie", `m:${ref}`, to]];
    }
    case "demonitor": {
      const [ref = "", of = ""] = held.monitors.pop()?.split(" ") ?? [];
      if (!ref) return [];
      return [sendTo(keys.partitionOf(of as Pid), of, "demonitor", ref), ["untie", `m:${ref}`]];
    }
    case "join":
      return [toGroup("join", own), ["tie", `g:${GROUP}`, "1"]];
    case "leave":
      return [toGroup("leave", own), ["untie", `g:${GROUP}`]];
    case "publish":
      return [toGroup("publish", "sing")];
    case "arm": {
      const id = newMessageId(keys.partitionOf(own));
      held.timers.push(id);
      const dueAt = Date.now() + ms;
      return [
        ["arm", id, dueAt, seal('"tick"', { timer: id })],
        ["tie", `t:${id}`, JSON.stringify({ id, dueAt })],
      ];
    }
    case "disarm": {
      const id = held.timers.pop();
      return id
        ? [
            ["disarm", id],
            ["untie", `t:${id}`],
          ]
        : [];
    }
    case "tags":
      return [["options", '{"tags":["x"]}']];
  }
}

function sendTo(partition: number, target: string, kind: SendKind, content: unknown): Act {
  return ["send", kind, target, newMessageId(partition), 0, "", seal(JSON.stringify(content))];
}
