/** Has a turn done what its callback asked for in a web app, as if it had been asked for here; answers what it waits for. */

import type { Ties } from "genserverless/runtime/ties.ts";
import type { TurnContext, TurnHost } from "genserverless/runtime/turn-context.ts";
import { CallError, firstLineOf } from "genserverless/runtime/turn-errors.ts";
import type { Answered, Ask, KnownTies, LogLine, Question, StartOptions, TimerAsk } from "genserverless/web/wire.ts";

/** The keys that were made up in the app, and the time that stood still there. */
class Elsewhere implements TurnHost {
  readonly #host: TurnHost;
  readonly #time: number;
  key: string | undefined;

  constructor(host: TurnHost) {
    this.#host = host;
    this.#time = host.now();
  }

  now(): number {
    return this.#time;
  }

  newMessageId(): string {
    return this.#host.newMessageId();
  }

  newKey(): string {
    return this.key ?? this.#host.newKey();
  }

  knowsModule(module: string): boolean {
    return this.#host.knowsModule(module);
  }

  call(...given: Parameters<TurnHost["call"]>): Promise<unknown> {
    return this.#host.call(...given);
  }

  startAndWait(...given: Parameters<TurnHost["startAndWait"]>): Promise<void> {
    return this.#host.startAndWait(...given);
  }

  stopAndWait(...given: Parameters<TurnHost["stopAndWait"]>): Promise<void> {
    return this.#host.stopAndWait(...given);
  }

  members(group: string): Promise<`${string}/${string}`[]> {
    return this.#host.members(group);
  }
}

/** One turn whose callback runs in an app. */
export class RemoteTurn {
  /** Names the turn; the same when it runs again. */
  readonly seed: string;
  readonly time: number;
  readonly ties: KnownTies | undefined;
  readonly #ctx: TurnContext;
  readonly #whole: TurnContext;
  readonly #elsewhere: Elsewhere;

  constructor(ctx: TurnContext) {
    let facts: { elsewhere: Elsewhere; seed: string; ties: KnownTies | undefined } | undefined;
    this.#ctx = ctx.through((host, ties) => {
      facts = { elsewhere: new Elsewhere(host), seed: host.newKey(), ties: nameTies(ties) };
      return facts.elsewhere;
    });
    const { elsewhere, seed, ties } = facts as NonNullable<typeof facts>;
    this.#elsewhere = elsewhere;
    this.seed = seed;
    this.ties = ties;
    this.time = elsewhere.now();
    this.#whole = ctx;
  }

  /** Throws EffectError where a context would. */
  do(asks: readonly Ask[]): void {
    for (const ask of asks) {
      this.#elsewhere.key = undefined;
      this.#doOne(ask);
    }
  }

  log(lines: readonly LogLine[]): void {
    for (const { level, fields, text } of lines) this.#ctx.log[level](fields, text);
  }

  /** All at once; rejects where the turn has ended. */
  answer(questions: readonly Question[]): Promise<Answered[]> {
    return Promise.all(questions.map((question) => this.#answerOne(question)));
  }

  #doOne(ask: Ask): void {
    const ctx = this.#ctx;
    switch (ask.do) {
      case "cast":
      case "info":
        ctx[ask.do](ask.pid, ask.message, { delayMs: ask.delayMs ?? 0 });
        return;
      case "start": {
        const { module, options } = readStart(ask.pid, ask.args, ask.options);
        ctx.start(module, options);
        return;
      }
      case "stop":
      case "exit":
        ctx[ask.do](ask.pid, ask.reason);
        return;
      case "reply":
        ctx.reply(ask.from as Parameters<TurnContext["reply"]>[0], ask.value);
        return;
      case "timer":
        this.#arm(ask);
        return;
      case "cancel":
        ctx.cancel(ask.name);
        return;
      case "monitor":
        this.#elsewhere.key = ask.ref;
        ctx.monitor(ask.pid);
        return;
      case "demonitor":
        ctx.demonitor(ask.ref);
        return;
      case "link":
      case "unlink":
        ctx[ask.do](ask.pid);
        return;
      case "join":
      case "leave":
        ctx[ask.do](ask.group);
        return;
      case "publish":
        ctx.publish(ask.group, ask.message);
        return;
      case "tags":
        ctx.setTags(ask.tags);
        return;
    }
  }

  /** Due when it is in the app, to the millisecond: the time is the same there. */
  #arm({ name, message, dueAt = this.time, everyMs, cron, timezone, missed }: TimerAsk): void {
    const options = { ...(missed && { missed }), ...(name.startsWith("~") ? {} : { name }) };
    if (name.startsWith("~")) this.#elsewhere.key = name.slice(1);
    if (cron !== undefined) {
      this.#ctx.cron(cron, message, { ...options, ...(timezone !== undefined && { timezone }) });
    } else if (everyMs !== undefined) {
      this.#ctx.sendEvery(everyMs, message, options);
    } else {
      this.#ctx.sendAfter(Math.max(0, dueAt - this.time), message, options);
    }
  }

  async #answerOne(question: Question): Promise<Answered> {
    const { id } = question;
    try {
      const value = await this.#ask(question);
      return { id, value: value ?? null };
    } catch (error) {
      this.#whole.signal.throwIfAborted();
      const message = firstLineOf(error);
      if (!(error instanceof CallError)) return { id, error: { message } };
      return { id, error: { code: error.code, message: message.replace(`${error.code}: `, "") } };
    }
  }

  #ask(question: Question): Promise<unknown> {
    const ctx = this.#ctx;
    switch (question.ask) {
      case "call":
        return ctx.call(question.pid, question.message, { timeoutMs: question.timeoutMs });
      case "startAndWait": {
        const { module, options } = readStart(question.pid, question.args, question.options);
        return ctx.startAndWait(module, { ...options, timeoutMs: question.timeoutMs });
      }
      case "stopAndWait":
        return ctx.stopAndWait(question.pid, question.reason, { timeoutMs: question.timeoutMs });
      case "members":
        return ctx.members(question.group);
    }
  }
}

function readStart(pid: string, args: unknown, { tags, idleAfterMs }: StartOptions = {}) {
  const slash = pid.indexOf("/");
  const options = {
    key: pid.slice(slash + 1),
    args,
    ...(tags !== undefined && { tags }),
    ...(idleAfterMs !== undefined && { idleAfterMs: idleAfterMs === "infinity" ? Infinity : idleAfterMs }),
  };
  return { module: pid.slice(0, Math.max(0, slash)), options };
}

const KINDS = { t: "timers", m: "monitors", l: "links", g: "groups" } as const;

/** Undefined where there are none. */
function nameTies(ties: Ties): KnownTies | undefined {
  if (ties.size === 0) return undefined;
  const named: Partial<Record<keyof KnownTies, string[]>> = {};
  for (const [field] of ties.entries()) {
    const kind = KINDS[field[0] as keyof typeof KINDS];
    named[kind] ??= [];
    named[kind].push(field.slice(2));
  }
  return named;
}
