/** What a turn wanted done, in the words that the commit takes. */

import { seal } from "@genserverless/shared/cluster/envelope.ts";
import type { Act, SendKind } from "@genserverless/shared/cluster/leases.ts";
import { newMessageId } from "@genserverless/shared/process/message.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { type Keys, moduleOf } from "@genserverless/shared/redis/keys.ts";
import type { Effect } from "genserverless/runtime/effects.ts";
import type { TieChange } from "genserverless/runtime/ties.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import type { TurnTrace } from "./turn-trace.ts";

export interface ActWriterOptions {
  keys: Keys;
  modules: ReadonlyMap<string, ServerModule>;
}

/** The process's options, JSON text, as the record keeps them. */
type WithTags = (tags: readonly string[]) => string;

export class ActWriter {
  readonly #pid: Pid;
  readonly #options: ActWriterOptions;
  readonly #trace: TurnTrace;
  readonly #partition: number;

  constructor(pid: Pid, options: ActWriterOptions, trace: TurnTrace) {
    this.#pid = pid;
    this.#options = options;
    this.#trace = trace;
    this.#partition = options.keys.partitionOf(pid);
  }

  write(effects: readonly Effect[], changes: readonly TieChange[], withTags: WithTags): Act[] {
    const acts = effects.flatMap((effect) => this.#writeEffect(effect, withTags));
    for (const [field, text] of lastOfEach(changes))
      acts.push(text === undefined ? ["untie", field] : ["tie", field, text]);
    return acts;
  }

  #writeEffect(effect: Effect, withTags: WithTags): Act[] {
    const pid = this.#pid;
    switch (effect.do) {
      case "cast":
      case "info":
        return [this.#send(effect.do, effect.pid, effect.messageText, effect.delayMs, this.#startOf(effect.pid))];
      case "start":
        return [this.#send("start", effect.pid, effect.argsText, 0, effect.optionsText)];
      case "stop":
        return [this.#send("stop", effect.pid, JSON.stringify({ reason: effect.reason }))];
      case "exit":
        return [this.#exit(effect.pid, effect.reason)];
      case "reply":
        return [this.#reply(effect.from.pid as Pid, effect.from.messageId, effect.replyText)];
      case "arm":
        return [["arm", effect.timer.id, effect.timer.dueAt, seal(effect.messageText, { timer: effect.name })]];
      case "disarm":
        return [["disarm", effect.id]];
      case "monitor":
      case "demonitor":
        return [this.#send(effect.do, effect.pid, JSON.stringify(effect.ref))];
      case "link":
        return this.#link(effect.pid, effect.ref);
      case "unlink":
        return [
          unwatch(effect.pid, effect.refs),
          this.#send("unlink", effect.pid, JSON.stringify({ pid, refs: effect.refs })),
        ];
      case "join":
      case "leave":
        return [this.#sendToGroup(effect.do, effect.group, JSON.stringify(pid))];
      case "publish":
        return [this.#sendToGroup("publish", effect.group, effect.messageText)];
      case "tags":
        return [["options", withTags(effect.tags)]];
    }
  }

  #send(kind: SendKind, to: Pid, text: string, delayMs = 0, options = ""): Act {
    return ["send", kind, to, newMessageId(this.#partitionOf(to)), delayMs, options, this.#seal(text)];
  }

  /** The other is told when this process ends, from now on. */
  #link(to: Pid, ref: string): Act[] {
    const watch: Act = ["watch", this.#partitionOf(to), to, ref];
    return [watch, this.#send("link", to, JSON.stringify({ pid: this.#pid, ref }))];
  }

  /** A kill ends its target where it arrives, which has to know then whether the state is kept. */
  #exit(to: Pid, reason: string): Act {
    const forgets = this.#options.modules.get(moduleOf(to))?.keepState === "never";
    return this.#send("exit", to, JSON.stringify({ pid: this.#pid, reason }), 0, forgets ? "forget" : "");
  }

  #sendToGroup(kind: SendKind, group: string, text: string): Act {
    return ["send", kind, group, newMessageId(this.#options.keys.groupPartition(group)), 0, "", this.#seal(text)];
  }

  #reply(to: Pid, messageId: string, replyText: string): Act {
    const outcome = `{"status":"done","reply":${replyText}}`;
    if (to === this.#pid) return ["answer", messageId, outcome];
    return ["send", "reply", to, newMessageId(this.#partitionOf(to)), 0, messageId, seal(outcome)];
  }

  /** The start that goes before the first message to a process of an on-demand module: id and envelope. */
  #startOf(to: Pid): string {
    if (!this.#options.modules.get(moduleOf(to))?.onDemand) return "";
    return `${newMessageId(this.#partitionOf(to))} ${this.#seal("null")}`;
  }

  #seal(text: string): string {
    return seal(text, { traceparent: this.#trace.traceparent });
  }

  #partitionOf(to: Pid): number {
    return to === this.#pid ? this.#partition : this.#options.keys.partitionOf(to);
  }
}

/** The other is told no longer of this process's end, by these references of their link. */
export function unwatch(other: Pid, refs: readonly string[]): Act {
  return ["unwatch", other, refs.join(" ")];
}

function lastOfEach(changes: readonly TieChange[]): Map<string, string | undefined> {
  return new Map(changes.map(([field, text]) => [field, text]));
}
