/** The stream of an event-sourced entity in either protocol: an init, the events of the past, then commands. */

import { AwakeEntity, type EventSourcedRules, type Executed } from "./awake-entity.ts";
import type { DebugLog } from "./debug-log.ts";
import { describeError } from "./describe-error.ts";
import type { AnyValue } from "./protocol/any.ts";
import { clientAction, failedReply } from "./protocol/client-action.ts";
import { type EntityCall, StreamFailure, type StreamOut, serveEntityStream } from "./protocol/entity-stream.ts";
import type { Int64, WireCommand } from "./protocol/wire.ts";

export interface EventSourcedIn {
  readonly message?: "init" | "event" | "command";
  readonly init?: {
    readonly serviceName?: string;
    readonly entityId: string;
    readonly snapshot?: { readonly snapshotSequence: Int64; readonly snapshot?: AnyValue | null } | null;
  };
  readonly event?: { readonly sequence: Int64; readonly payload?: AnyValue | null };
  readonly command?: WireCommand;
}

/** How the protocols differ. */
export interface EventSourcedProtocol {
  /** Whose stream this is; undefined where the protocol or the init does not say it well. */
  findRules(serviceName: string): EventSourcedRules | undefined;
  /** Whether a stream may begin with a command, for an entity without a past. */
  readonly initIsOptional: boolean;
  readonly hasForwards: boolean;
}

let streams = 0;

export async function serveEventSourced(
  call: EntityCall<EventSourcedIn>,
  protocol: EventSourcedProtocol,
  log: DebugLog,
): Promise<void> {
  const stream = new EventSourcedStream(protocol, log);
  await serveEntityStream(call, (message) => stream.receive(message));
  stream.terminate();
}

class EventSourcedStream {
  readonly #protocol: EventSourcedProtocol;
  readonly #writeLine: DebugLog;
  readonly #streamId = ++streams;
  #entity: AwakeEntity | undefined;
  #hasCommands = false;

  constructor(protocol: EventSourcedProtocol, log: DebugLog) {
    this.#protocol = protocol;
    this.#writeLine = log;
    this.#log("Received new stream");
  }

  terminate(): void {
    this.#log("Stream terminating");
  }

  /** The answer to a command. */
  async receive({ message, init, event, command }: EventSourcedIn): Promise<StreamOut | undefined> {
    if (message === "command" && command) return this.#execute(command);
    if (message === "init" && init) this.#wake(init);
    else if (message === "event" && event) await this.#replay(event);
    else throw new StreamFailure("A message came that is empty, or unknown");
    return undefined;
  }

  #wake({ serviceName = "", entityId, snapshot }: NonNullable<EventSourcedIn["init"]>): void {
    if (this.#entity) throw new StreamFailure("Init message received twice.");
    this.#entity = this.#create(serviceName, entityId);
    this.#log("Received init message");
    if (!snapshot) return;
    const sequence = toNumber(snapshot.snapshotSequence);
    this.#log(`Handling snapshot with type ${snapshot.snapshot?.type_url} at sequence ${sequence}`);
    try {
      this.#entity.restore(sequence, snapshot.snapshot);
    } catch (error) {
      throw new StreamFailure(`Error handling snapshot at sequence ${sequence}: ${describeError(error)}`);
    }
  }

  async #replay({ sequence, payload }: NonNullable<EventSourcedIn["event"]>): Promise<void> {
    const at = toNumber(sequence);
    if (!this.#entity) throw new StreamFailure(`Event ${at} came before an init`);
    if (this.#hasCommands) throw new StreamFailure(`Event ${at} came after a command`);
    this.#log(`Received event ${at} with type '${payload?.type_url}'`);
    try {
      await this.#entity.replay(at, payload);
    } catch (error) {
      throw new StreamFailure(`Error handling event ${at}: ${describeError(error)}`);
    }
  }

  async #execute(command: WireCommand): Promise<StreamOut> {
    if (!this.#entity && this.#protocol.initIsOptional) this.#entity = this.#create("", command.entityId);
    if (!this.#entity) throw new StreamFailure("A command came before an init", command.id);
    this.#hasCommands = true;
    const log: DebugLog = (line) => this.#log(line, command.id);
    log(`Received command '${command.name}' with type '${command.payload?.type_url}'`);
    const done = await this.#entity.execute(command, this.#protocol.hasForwards, log);
    if ("failure" in done) {
      log(`Command failed with message '${done.failure}'`);
      return this.#failed(command.id, done.failure);
    }
    log(`Sending reply with ${done.events.length} events and reply type '${payloadOf(done).type_url}'`);
    return { reply: this.#protocol.hasForwards ? laterReply(command, done) : firstReply(command, done) };
  }

  #failed(commandId: Int64, description: string): StreamOut {
    if (this.#protocol.hasForwards) return failedReply(commandId, description);
    return { failure: { commandId, description } };
  }

  #create(serviceName: string, entityId: string): AwakeEntity {
    const rules = this.#protocol.findRules(serviceName);
    if (!rules) throw new StreamFailure(`There is no event-sourced entity with the service '${serviceName}'`);
    return new AwakeEntity(rules, entityId);
  }

  #log(line: string, commandId?: Int64): void {
    const entity = this.#entity ? ` [${this.#entity.entityId}]` : "";
    const command = commandId === undefined ? "" : ` (${toNumber(commandId)})`;
    this.#writeLine(`${this.#streamId}${entity}${command} - ${line}`);
  }
}

/** The reply, or what is forwarded. */
function payloadOf({ answer }: Executed): AnyValue {
  return "serviceName" in answer ? answer.payload : answer;
}

function firstReply({ id }: WireCommand, executed: Executed): object {
  const { events, snapshot } = executed;
  return { commandId: id, payload: payloadOf(executed), events, ...(snapshot ? { snapshot } : {}) };
}

function laterReply({ id }: WireCommand, { answer, effects, events, snapshot }: Executed): object {
  return {
    commandId: id,
    clientAction: clientAction(answer),
    sideEffects: effects,
    events,
    ...(snapshot ? { snapshot } : {}),
  };
}

function toNumber(value: Int64): number {
  return typeof value === "number" ? value : value.toNumber();
}
