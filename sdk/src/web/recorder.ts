/**
 * What a callback asks of its turn, written down where it runs: what it wants done with the commit becomes asks, what it
 * waits for becomes questions. A question whose answer came with the envelope is answered at once; the first that is not ends
 * this run of the callback, with every other that the callback has asked by then.
 *
 * A callback that is run again must ask the same, in the same order. So time stands still during a turn, and generated keys
 * are made of the turn's seed.
 */

import { createHash } from "node:crypto";
import type { Log, Pid } from "../contract.ts";
import type { Effect } from "../runtime/effects.ts";
import { Ties } from "../runtime/ties.ts";
import type { TurnHost } from "../runtime/turn-context.ts";
import { CallError, EffectError } from "../runtime/turn-errors.ts";
import { LogLines } from "./log-lines.ts";
import type { Answered, Ask, Asked, Envelope, KnownTies, Question, StartOptions } from "./wire.ts";

/** Why a run of a callback ends before the callback does. */
export type Halt = { readonly questions: readonly Question[] } | { readonly stray: string };

export class Recorder implements TurnHost {
  readonly ties: Ties;
  readonly lines = new LogLines();
  /** Resolves where the callback has to wait. */
  readonly halted: Promise<Halt>;
  readonly #halt: (why: Halt) => void;
  readonly #envelope: Envelope;
  readonly #questions: Question[] = [];
  #asked = 0;
  #keys = 0;
  #ids = 0;

  constructor(envelope: Envelope) {
    this.#envelope = envelope;
    this.ties = new Ties(toFields(envelope.ties ?? {}));
    const { promise, resolve } = Promise.withResolvers<Halt>();
    this.halted = promise;
    this.#halt = resolve;
  }

  get log(): Log {
    return this.lines;
  }

  now(): number {
    return this.#envelope.time;
  }

  /** Of a timer that is armed in this turn; the worker gives it another. The name of no timer: those begin with no space. */
  newMessageId(): string {
    return ` ${this.#ids++}`;
  }

  newKey(): string {
    return toName(`${this.#envelope.seed} ${this.#keys++}`);
  }

  /** Only the cluster knows; the worker says so when it is told what to start. */
  knowsModule(): boolean {
    return true;
  }

  call(pid: Pid, messageText: string, timeoutMs: number): Promise<unknown> {
    return this.#ask({ ask: "call", pid, message: JSON.parse(messageText), timeoutMs });
  }

  async startAndWait(pid: Pid, argsText: string, optionsText: string, timeoutMs: number): Promise<void> {
    await this.#ask({ ask: "startAndWait", pid, ...readStart(argsText, optionsText), timeoutMs });
  }

  async stopAndWait(pid: Pid, reason: string, timeoutMs: number): Promise<void> {
    await this.#ask({ ask: "stopAndWait", pid, reason, timeoutMs });
  }

  async members(group: string): Promise<Pid[]> {
    return (await this.#ask({ ask: "members", group })) as Pid[];
  }

  async #ask(asked: Asked): Promise<unknown> {
    const id = toName(JSON.stringify(asked));
    const known = this.#envelope.answers?.[this.#asked++];
    if (known) {
      if (known.id === id) return readAnswer(known);
      const what = `${asked.ask} of ${"pid" in asked ? asked.pid : asked.group}`;
      this.#halt({ stray: `question ${this.#asked} is another one now that the callback runs again: ${what}` });
    } else {
      this.#questions.push({ id, ...asked });
      // What it asks besides, without waiting for this one, goes along.
      if (this.#questions.length === 1) setImmediate(() => this.#halt({ questions: this.#questions }));
    }
    return await new Promise(() => {});
  }
}

/** What the effects of a turn are called between app and worker. */
export function toAsks(effects: readonly Effect[]): Ask[] {
  const armed = new Map<string, string>();
  return effects.map((effect): Ask => {
    switch (effect.do) {
      case "cast":
      case "info": {
        const { pid, delayMs } = effect;
        return { do: effect.do, pid, message: JSON.parse(effect.messageText), ...(delayMs > 0 && { delayMs }) };
      }
      case "start":
        return { do: "start", pid: effect.pid, ...readStart(effect.argsText, effect.optionsText) };
      case "reply":
        return { do: "reply", from: effect.from, value: JSON.parse(effect.replyText) };
      case "arm": {
        armed.set(effect.timer.id, effect.name);
        const { id: _, messageText: __, dueAt, ...schedule } = effect.timer;
        const ticks = effect.timer.everyMs !== undefined || effect.timer.cron !== undefined;
        const message: unknown = JSON.parse(effect.messageText);
        return { do: "timer", name: effect.name, message, ...(ticks ? schedule : { dueAt }) };
      }
      case "disarm":
        // A timer of an earlier turn has its name as its id here.
        return { do: "cancel", name: armed.get(effect.id) ?? effect.id };
      case "demonitor":
        return { do: "demonitor", ref: effect.ref };
      case "link":
      case "unlink":
        return { do: effect.do, pid: effect.pid };
      case "publish":
        return { do: "publish", group: effect.group, message: JSON.parse(effect.messageText) };
      case "monitor":
        return { do: "monitor", pid: effect.pid, ref: effect.ref };
      default:
        return effect as Ask;
    }
  });
}

function readStart(argsText: string, optionsText: string): { args: unknown; options?: StartOptions } {
  const args: unknown = JSON.parse(argsText);
  return optionsText === "" ? { args } : { args, options: JSON.parse(optionsText) as StartOptions };
}

function readAnswer(known: Answered): unknown {
  if (!("error" in known)) return known.value;
  const { code, message } = known.error;
  throw code === undefined ? new EffectError(message) : new CallError(code, message);
}

/** What a context looks up of them; the rest only the worker has. */
function toFields({ timers = [], monitors = [], links = [], groups = [] }: KnownTies): [string, string][] {
  return [
    ...timers.map((name): [string, string] => [`t:${name}`, JSON.stringify({ id: name, dueAt: 0 })]),
    ...monitors.map((ref): [string, string] => [`m:${ref}`, "-/-"]),
    ...links.map((pid): [string, string] => [`l:${pid}`, "-"]),
    ...groups.map((group): [string, string] => [`g:${group}`, "1"]),
  ];
}

function toName(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16).toUpperCase();
}
