/**
 * An entity that is awake: what a turn of its process is given as the state. What it really is lives in the user function;
 * this is the stream to it. Turns that fail because of the stream spoil the entity: the runtime lets go of it, and makes
 * it anew from the journal.
 */

import { CommandFailed, type Journaled, type StoredJournal } from "genserverless/journaled.ts";
import type { Served } from "../discovery/spec.ts";
import type { Connection } from "../user-function/connection.ts";
import type { AnyValue } from "../user-function/wire.ts";
import { type CommandContent, toAny, toMetadataEntries } from "./command-content.ts";
import { type Action, type Dialect, dialectOf, type Effect } from "./dialects.ts";
import { idOf } from "./entity-names.ts";
import { type Answer, EntityStream, StreamBroken } from "./entity-stream.ts";
import { readEvent, readSnapshot, readValueEvent, toEvent, toState, toValueEvent } from "./stored-any.ts";

/** The command was not sent, for the stream had broken before: it can be sent again. */
export const NOT_SENT = "The entity's stream had broken before this command";

export interface EntityOptions {
  served: Served;
  connection: Connection;
  relayTimeoutMs: number;
  /** Hears why the stream broke. */
  onBroken: (details: string) => void;
}

/** What a command came to. */
export interface Handled {
  action: Exclude<Action, { kind: "failure" }>;
  effects: readonly Effect[];
  journaled: Journaled;
}

export class Entity {
  readonly #options: EntityOptions;
  readonly #dialect: Dialect;
  readonly #stream: EntityStream;
  /** Undefined while nobody has said it: its name is a hash. */
  #id: string | undefined;
  readonly #isHashed: boolean;

  constructor(key: string, options: EntityOptions) {
    const { served, connection, onBroken } = options;
    this.#options = options;
    this.#id = idOf(key);
    this.#isHashed = this.#id === undefined;
    this.#dialect = dialectOf(served.protocol, served.kind);
    this.#stream = new EntityStream(connection, this.#dialect, onBroken);
  }

  /** Makes it of what is stored. Throws JournalError; what the user function makes of it shows with the first command. */
  async recover(stored: StoredJournal): Promise<void> {
    if (this.#options.served.kind === "value") await this.#recoverValue(stored);
    else await this.#replay(stored);
  }

  /** Throws CommandFailed. */
  async handle(command: CommandContent): Promise<Handled> {
    this.#id ??= command.entityId;
    if (!this.#stream.isOpen) await this.#begin(undefined);
    if (this.#stream.isBroken) throw new CommandFailed(NOT_SENT, { isSpoiled: true });
    return this.#settle(await this.#ask(command));
  }

  release(): void {
    this.#stream.close();
  }

  get view(): object {
    const { service, protocol } = this.#options.served;
    const { isOpen, isBroken } = this.#stream;
    return { entityId: this.#id ?? null, service: service.name, protocol, isAwake: isOpen && !isBroken };
  }

  async #ask({ name, payload, metadata }: CommandContent): Promise<Answer> {
    const { served, relayTimeoutMs } = this.#options;
    const method = served.methods.get(name);
    if (!method) throw new CommandFailed(`${served.service.name} has no method ${name}`);
    const entityId = this.#id ?? "";
    const any = toAny(method.inputType, payload);
    const command = { entityId, name, payload: any, metadata: toMetadataEntries(metadata) };
    try {
      return await this.#stream.ask(command, relayTimeoutMs);
    } catch (error) {
      throw error instanceof StreamBroken ? new TerminatedError(error.message) : error;
    }
  }

  #settle(answer: Answer): Handled {
    if (answer.kind === "failure") {
      const { description, restarts } = answer;
      if (this.#dialect.failureIsAnswer) throw new CommandFailed(description);
      const broken = this.#stream.violate(`The entity has failed: ${description}`);
      throw restarts ? new CommandFailed(description, { isSpoiled: true }) : new TerminatedError(broken.message);
    }
    const { action, effects } = answer;
    if (action?.kind === "failure") throw new CommandFailed(action.description, { isSpoiled: action.restarts });
    const fault = findFault(answer);
    if (!action || fault) throw new TerminatedError(this.#stream.violate(fault ?? "").message);
    return { action, effects, journaled: this.#toJournaled(answer) };
  }

  #toJournaled({ events, snapshot, value }: Answer & { kind: "reply" }): Journaled {
    const entityId = this.#isHashed ? this.#id : undefined;
    if (value) {
      const event = toValueEvent(value.value, entityId);
      return { events: [event], snapshot: { state: toState(value.value, entityId) } };
    }
    return {
      events: events.map((event) => toEvent(event, entityId)),
      snapshot: snapshot && { state: toState(snapshot, entityId) },
    };
  }

  async #replay({ snapshot, pages }: StoredJournal): Promise<void> {
    const endsAt = performance.now() + this.#options.relayTimeoutMs;
    if (snapshot) {
      const { any, entityId } = readSnapshot(snapshot);
      this.#id ??= entityId;
      await this.#begin({ sequence: snapshot.sequence, value: any });
    }
    for await (const page of pages) {
      for (const entry of page) {
        const { any, entityId } = readEvent(entry);
        this.#id ??= entityId;
        if (!this.#stream.isOpen) await this.#begin(undefined);
        await this.#stream.replay(entry.sequence, any, Math.max(1, Math.ceil(endsAt - performance.now())));
      }
    }
  }

  async #recoverValue({ snapshot, pages }: StoredJournal): Promise<void> {
    let sequence = snapshot?.sequence ?? 0;
    let value: AnyValue | undefined;
    const take = ({ any, entityId }: { any: AnyValue | undefined; entityId: string | undefined }) => {
      value = any;
      this.#id ??= entityId;
    };
    if (snapshot) take(readSnapshot(snapshot));
    for await (const page of pages) {
      for (const entry of page) {
        take(readValueEvent(entry));
        sequence = entry.sequence;
      }
    }
    if (sequence > 0) await this.#begin({ sequence, value });
  }

  async #begin(snapshot: { sequence: number; value: AnyValue | undefined } | undefined): Promise<void> {
    const { served, relayTimeoutMs } = this.#options;
    const serviceName = served.service.name;
    await this.#stream.begin({ serviceName, entityId: this.#id ?? "", snapshot }, relayTimeoutMs);
  }
}

/** The entity has ended under its caller: commands that waited behind it are not handled either. */
export class TerminatedError extends CommandFailed {
  override name = "TerminatedError";

  constructor(message: string) {
    super(message, { isSpoiled: true });
  }
}

/** What the protocol forbids in a reply. */
function findFault({ action, events, snapshot }: Answer & { kind: "reply" }): string | undefined {
  if (!action) return "Reply without a payload for the caller";
  if (snapshot && events.length === 0) return "Snapshot without events";
  if ([...events, ...(snapshot ? [snapshot] : [])].some(({ type_url: typeUrl }) => typeUrl === "")) {
    return "Event or snapshot without a type";
  }
  return undefined;
}
