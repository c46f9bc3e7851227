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
import { Entity, type Handled, TerminatedError } from "./entity.ts";
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
}

/** Beyond the relay timeout, which ends a turn by itself. */
const TURN_SLACK_MS = 5_000;
/** Once more where the stream had broken before. */
const CAST_ATTEMPTS = 2;

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
    retry: { attempts: CAST_ATTEMPTS },
    init: (_args: unknown, ctx) => ok(open(ctx.key)),
    async handleCall(content: unknown, _from, entity, ctx) {
      const { action, effects, journaled } = await handle(content, entity, ctx);
      const rest = castEffects(effects, ctx, options, false);
      const answer = toReply(action, rest);
      return withJournal(reply(answer, entity), journaled);
    },
    async handleCast(content: unknown, entity, ctx) {
      try {
        const { action, effects, journaled } = await handle(content, entity, ctx);
        const wanted = action.kind === "forward" ? [...effects, asEffect(action.forward)] : effects;
        const { later } = castEffects(wanted, ctx, options, true);
        const next = later.length > 0 ? { continue: later } : undefined;
        return withJournal(noreply(entity, next), journaled);
      } catch (error) {
        if (!(error instanceof CommandFailed) || error.isSpoiled) throw error;
        noteFailedEffect(options, (content as CommandContent).name, error);
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
        await entity.recover(stored);
        return entity;
      },
      release: (entity) => entity.release(),
      view: ({ view }) => view,
    },
  });
  events.emit("debug", "entity.defined", { module: served.module, service: served.service.name });
  return module as unknown as ServerModule;
}

interface Rest {
  now: EffectContent[];
  later: EffectContent[];
}

/** Casts what can be cast; what is left is for whoever waits, or for a continuation where nobody does. */
function castEffects(effects: readonly Effect[], ctx: Context, options: EntityModuleOptions, castsAll: boolean): Rest {
  const rest: Rest = { now: [], later: [] };
  for (const effect of effects) {
    const content = toEffectContent(effect);
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

function toReply(action: Handled["action"], { now, later }: Rest): ReplyContent {
  const answer: ReplyContent =
    action.kind === "forward"
      ? { forward: toEffectContent(action.forward) }
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
