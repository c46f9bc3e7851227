/**
 * Says which command an answer belongs to. Redis answers in the order of the commands, one frame each, but for pub/sub:
 * a message belongs to no command, and a (un)subscription is confirmed once per channel.
 */

import { type Command, readTexts } from "./resp.ts";

interface Awaited {
  command: Command;
  frames: number;
}

const MESSAGES = ["message", "pmessage", "smessage"];
const SUBSCRIBING = /^([PS]?)(UN)?SUBSCRIBE$/;
const CONFIRMING = /^[ps]?(un)?subscribe$/;
const PUSH = ">".charCodeAt(0);
const ARRAY = "*".charCodeAt(0);
const ERROR = "-".charCodeAt(0);

export class AnswerMatcher {
  readonly #awaited: Awaited[] = [];
  /** Channels by kind: "" plain, "P" pattern, "S" sharded. */
  readonly #channels = new Map<string, Set<string>>();
  #isResp3 = false;

  sent(command: Command): void {
    const subscribing = SUBSCRIBING.exec(command.name);
    const frames = subscribing ? this.#countConfirmations(subscribing, command.words.slice(1)) : 1;
    this.#awaited.push({ command, frames });
  }

  /** The command that this frame finishes answering, if it does. */
  answered(frame: Buffer): Command | undefined {
    const first = this.#awaited[0];
    if (!first || this.#isMessage(frame)) return undefined;
    first.frames -= frame[0] === ERROR ? first.frames : 1;
    if (first.frames > 0) return undefined;
    if (first.command.name === "HELLO" && frame[0] !== ERROR) this.#isResp3 = first.command.words[1] === "3";
    this.#awaited.shift();
    return first.command;
  }

  #isMessage(frame: Buffer): boolean {
    if (frame[0] === PUSH) return !CONFIRMING.test(readTexts(frame, 1)[0] ?? "");
    if (frame[0] !== ARRAY || this.#isResp3 || this.#channels.size === 0) return false;
    return MESSAGES.includes(readTexts(frame, 1)[0] ?? "");
  }

  #countConfirmations([, kind = "", isLeaving]: RegExpExecArray, names: string[]): number {
    const channels = this.#channels.get(kind) ?? new Set();
    this.#channels.set(kind, channels);
    const count = names.length || Math.max(channels.size, 1);
    if (!isLeaving) for (const name of names) channels.add(name);
    else if (names.length === 0) channels.clear();
    else for (const name of names) channels.delete(name);
    return count;
  }
}
