/**
 * The journaled module whose processes are the entities of one service. A call is a command whose caller waits; a cast is
 * one that an entity wants as a side effect: it is sent with the commit, so that it is done once.
 */

import type { Events } from "@genserverless/shared/service/events.ts";
import type { Context } from "genserverless";
import { CommandFailed, withJournal } from "genserverless/journaled.ts";
import { noreply, ok, reply } from "genserverless/returns.ts";
import { defineServer, type ServerModule } from "genserverless/server-module.ts";
import type { Served } from "../discovery/spec.ts";
import type { Target } from "../front/targets.ts";
import type { Connection } from "../user-function/connection.ts";
import {
  type CommandContent,
  type EffectContent,
  type ReplyContent,
  readCommandContent,
  toBase64,
  toEffectContent,
  toTextEntries,
} from "./command-content.ts";
import type { Effect, Forward } from "./dialects.ts";
import { Entity, type Handled, NOT_SENT, TerminatedError } from "./entity.ts";
import { TIMED_OUT } from "./entity-stream.ts";
import { Terminations } from "./terminations.ts";

export interface EntityModuleOptions {
  served: Served;
  connection: Connection;
  relayTimeoutMs: number;
  relayBufferSize: number;
  passivationTimeoutMs: number;
  events: Events;
  /** Where a command of this user function goes. Throws where nothing takes it. */
  findTarget(effect: EffectContent): Target;
  /** Does what is to be done and has no process. Rejects where it fails. */
  runAction(effect: EffectContent): Promise<unknown>;
  /** Tells the user function what it did wrong. */
  report(message: string): void;
  /** The user function has not answered in time. */
  doubt(): void;
}

/** Beyond the relay timeout, which ends a turn by itself. */
const TURN_SLACK_MS = 5_000;
/** Of what nobody waits for, where its stream broke: nothing of it was kept, and the user function may be back. */
const CAST_RETRY = { attempts: 3, backoff: { type: "exponential", delay: 200 } } as const;
/** Of a value entity only the last value counts. */
const VALUE_RETENTION = { events: 1 };

export function defineEntityModule(options: EntityModuleOptions): ServerModule {
  const { served, relayTimeoutMs, relayBufferSize, passivationTimeoutMs, events } = options;
  const terminations = new Terminations();
  const open = (key: string) => new Entity(key, { ...options, onBroken: (why) => noteBroken(options, key, why) });

  async function handle(content: unknown, entity: Entity, ctx: Context): Promise<Handled> {
    const command = readCommandContent(content);
    if (terminations.includes(ctx.key, command.sentAt)) throw new CommandFailed("Entity terminated");
    try {
      return await entity.handle(command);
    } catch (error) {
      if (error instanceof TerminatedError) terminations.note(ctx.key, ctx.now());
      if ((error as Error).message === TIMED_OUT) options.doubt();
      throw error;
    }
  }

  const module = defineServer({
    name: served.module,
    version: 1,
    onDemand: true,
    keepState: "always",
    turnTimeoutMs: relayTimeoutMs + TURN_SLACK_MS,
    idleAfterMs: served.passivationTimeoutMs ?? passivationTimeoutMs,
    mailbox: { messages: relayBufferSize },
    retry: CAST_RETRY,
    init: (_args: unknown, ctx) => ok(open(ctx.key)),
    async handleCall(content: unknown, _from, entity, ctx) {
      const { action, effects, journaled } = await handle(content, entity, ctx);
      const cause = readCommandContent(content);
      const rest = castEffects(effects, cause, ctx, options, false);
      const answer = toReply(action, cause, rest);
      return withJournal(reply(answer, entity), journaled);
    },
    async handleCast(content: unknown, entity, ctx) {
      try {
        const { action, effects, journaled } = await handle(content, entity, ctx);
        const wanted = action.kind === "forward" ? [...effects, asEffect(action.forward)] : effects;
        const { later } = castEffects(wanted, readCommandContent(content), ctx, options, true);
        const next = later.length > 0 ? { continue: later } : undefined;
        return withJournal(noreply(entity, next), journaled);
      } catch (error) {
        if (!(error instanceof CommandFailed)) throw error;
        if (isWorthRetry(error)) throw new Error(error.message);
        if (error.isSpoiled) throw error;
        noteFailedEffect(options, String((Object(content) as Partial<CommandContent>).name), error);
        return noreply(entity);
      }
    },
    async handleContinue(value: unknown, entity) {
      for (const effect of value as EffectContent[]) {
        await options.runAction(effect).catch((error: Error) => noteFailedEffect(options, effect.commandName, error));
      }
      return noreply(entity);
    },
    journal: {
      async recover(stored) {
        const entity = open(stored.key);
        try {
          await entity.recover(stored);
          return entity;
        } catch (error) {
          entity.release();
          throw error;
        }
      },
      ...(served.kind === "value" && { retention: VALUE_RETENTION }),
      release: (entity) => entity.release(),
      view: ({ view }) => view,
    },
  });
  events.emit("debug", "entity.defined", { module: served.module, service: served.service.name });
  return module as unknown as ServerModule;
}

/** Its stream was of no use, or has broken under it. */
function isWorthRetry(error: CommandFailed): boolean {
  return error instanceof TerminatedError || error.message === NOT_SENT;
}

interface Rest {
  now: EffectContent[];
  later: EffectContent[];
}

/** Casts what can be cast; what is left is for whoever waits, or for a continuation where nobody does. */
function castEffects(
  effects: readonly Effect[],
  cause: CommandContent,
  ctx: Context,
  options: EntityModuleOptions,
  castsAll: boolean,
): Rest {
  const rest: Rest = { now: [], later: [] };
  for (const effect of effects) {
    const content = toEffectContent(effect, cause);
    if (effect.synchronous && !castsAll) {
      rest.now.push(content);
      continue;
    }
    try {
      const { pid, command } = options.findTarget(content);
      if (pid && command) ctx.cast(pid, command);
      else rest.later.push(content);
    } catch (error) {
      noteFailedEffect(options, `${effect.serviceName}.${effect.commandName}`, error as Error);
    }
  }
  return rest;
}

function toReply(action: Handled["action"], cause: CommandContent, { now, later }: Rest): ReplyContent {
  const answer: ReplyContent =
    action.kind === "forward"
      ? { forward: toEffectContent(action.forward, cause) }
      : { payload: toBase64(action.payload.value), metadata: toTextEntries(action.metadata) };
  return { ...answer, ...(now.length > 0 && { effects: now }), ...(later.length > 0 && { laterEffects: later }) };
}

function asEffect(forward: Forward): Effect {
  return { ...forward, synchronous: false };
}

function noteBroken({ events, served, report }: EntityModuleOptions, key: string, reason: string): void {
  events.emit("warn", "entity.terminated", { entity: `${served.module}/${key}`, reason });
  report(`${served.service.name}, entity ${key}: ${reason}`);
}

function noteFailedEffect({ events, served, report }: EntityModuleOptions, command: string, error: Error): void {
  events.emit("warn", "effect.failed", { service: served.service.name, command, reason: error.message });
  report(`a side effect, or what was forwarded, to ${command} failed: ${error.message}`);
}
