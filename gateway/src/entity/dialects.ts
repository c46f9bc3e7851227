/**
 * What is said on the stream of an entity, in each of three ways: the first protocol's entities, the later one's, and its
 * value entities. Everything else sees one kind of message.
 */

import type { Kind, Protocol } from "../discovery/spec.ts";
import type { RemoteMethod } from "../user-function/connection.ts";
import { type AnyValue, codecOf, type MetadataEntry } from "../user-function/wire.ts";

export interface Command {
  entityId: string;
  id: number;
  name: string;
  payload: AnyValue;
  metadata: readonly MetadataEntry[];
}

/** What an entity begins with. */
export interface Beginning {
  serviceName: string;
  entityId: string;
  /** The value of a value entity too. */
  snapshot: { sequence: number; value: AnyValue | undefined } | undefined;
}

export interface Effect {
  serviceName: string;
  commandName: string;
  payload: AnyValue;
  synchronous: boolean;
  metadata: readonly MetadataEntry[];
}

export type Forward = Omit<Effect, "synchronous">;

/** What the caller gets. */
export type Action =
  | { kind: "reply"; payload: AnyValue; metadata: readonly MetadataEntry[] }
  | { kind: "forward"; forward: Forward }
  | { kind: "failure"; description: string; restarts: boolean };

/** What the user function said. */
export type Said =
  | {
      kind: "reply";
      commandId: number;
      /** Undefined where there is none, which is a violation. */
      action: Action | undefined;
      effects: readonly Effect[];
      events: readonly AnyValue[];
      snapshot: AnyValue | undefined;
      /** What is to become of the value of a value entity; undefined where it stays. */
      value: { value: AnyValue | undefined } | undefined;
    }
  | { kind: "failure"; commandId: number; description: string; restarts: boolean }
  | { kind: "nothing" };

export interface Dialect {
  stream: RemoteMethod<object, object>;
  begin(beginning: Beginning): object;
  /** Undefined where events are not sent. */
  event: ((sequence: number, payload: AnyValue) => object) | undefined;
  command(command: Command): object;
  read(said: object): Said;
  /** What a caller is told when the user function breaks the protocol, of what it did. */
  describeViolation(what: string): string;
  /** Whether a failure of the command under way leaves the entity awake. */
  failureIsAnswer: boolean;
}

type Long = number | { toString(): string };

interface RawMetadata {
  entries: MetadataEntry[];
}

interface RawForward {
  serviceName: string;
  commandName: string;
  payload?: AnyValue | null;
  metadata?: RawMetadata | null;
}

export interface RawEffect extends RawForward {
  synchronous: boolean;
}

interface RawFailure {
  commandId: Long;
  description: string;
  restart?: boolean;
}

export interface RawAction {
  reply?: { payload?: AnyValue | null; metadata?: RawMetadata | null } | null;
  forward?: RawForward | null;
  failure?: RawFailure | null;
}

interface RawReply {
  commandId: Long;
  clientAction?: RawAction | null;
  sideEffects: RawEffect[];
  events?: AnyValue[];
  snapshot?: AnyValue | null;
  stateAction?: { update?: { value?: AnyValue | null } | null; delete?: object | null } | null;
}

interface RawFirstReply {
  commandId: Long;
  payload?: AnyValue | null;
  events: AnyValue[];
  snapshot?: AnyValue | null;
}

interface RawOut<R> {
  reply?: R | null;
  failure?: RawFailure | null;
}

const NO_PAYLOAD: AnyValue = { type_url: "", value: Buffer.alloc(0) };

const FIRST: Dialect = {
  stream: {
    path: "/lightbend.serverless.Entity/handle",
    request: codecOf("lightbend.serverless.EntityStreamIn"),
    response: codecOf("lightbend.serverless.EntityStreamOut"),
  },
  begin: ({ entityId, snapshot }) => ({ init: { entityId, ...toSnapshot(snapshot) } }),
  event: (sequence, payload) => ({ event: { sequence, payload } }),
  command: ({ entityId, id, name, payload }) => ({ command: { entityId, id, name, payload } }),
  read: (said) => {
    const { reply, failure } = said as RawOut<RawFirstReply>;
    if (!reply) return readFailure(failure);
    const { commandId, payload, events, snapshot } = reply;
    const action: Action | undefined = payload ? { kind: "reply", payload, metadata: [] } : undefined;
    return {
      kind: "reply",
      commandId: Number(commandId),
      action,
      effects: [],
      events,
      snapshot: snapshot ?? undefined,
      value: undefined,
    };
  },
  describeViolation: (what) => what,
  failureIsAnswer: true,
};

/** Details are for the log: the caller is told no more. */
const LATER = {
  describeViolation: () => "Unexpected entity failure",
  failureIsAnswer: false,
};

const EVENT_SOURCED: Dialect = {
  ...LATER,
  stream: {
    path: "/cloudstate.eventsourced.EventSourced/handle",
    request: codecOf("cloudstate.eventsourced.EventSourcedStreamIn"),
    response: codecOf("cloudstate.eventsourced.EventSourcedStreamOut"),
  },
  begin: ({ serviceName, entityId, snapshot }) => ({ init: { serviceName, entityId, ...toSnapshot(snapshot) } }),
  event: (sequence, payload) => ({ event: { sequence, payload } }),
  command: toLaterCommand,
  read: readLater,
};

const VALUE: Dialect = {
  ...LATER,
  stream: {
    path: "/cloudstate.valueentity.ValueEntity/handle",
    request: codecOf("cloudstate.valueentity.ValueEntityStreamIn"),
    response: codecOf("cloudstate.valueentity.ValueEntityStreamOut"),
  },
  begin: ({ serviceName, entityId, snapshot }) => ({
    init: { serviceName, entityId, ...(snapshot?.value && { state: { value: snapshot.value } }) },
  }),
  event: undefined,
  command: toLaterCommand,
  read: readLater,
};

export function dialectOf(protocol: Protocol, kind: Kind): Dialect {
  if (protocol === "lightbend") return FIRST;
  return kind === "value" ? VALUE : EVENT_SOURCED;
}

function toSnapshot(snapshot: Beginning["snapshot"]): object {
  return snapshot?.value ? { snapshot: { snapshotSequence: snapshot.sequence, snapshot: snapshot.value } } : {};
}

function toLaterCommand({ metadata, ...command }: Command): object {
  return { command: { ...command, metadata: { entries: metadata } } };
}

function readLater(said: object): Said {
  const { reply, failure } = said as RawOut<RawReply>;
  if (!reply) return readFailure(failure);
  const { commandId, clientAction, sideEffects, events = [], snapshot, stateAction } = reply;
  const { update, delete: deletion } = stateAction ?? {};
  return {
    kind: "reply",
    commandId: Number(commandId),
    action: readAction(clientAction),
    effects: sideEffects.map(readEffect),
    events,
    snapshot: snapshot ?? undefined,
    value: update ? { value: update.value ?? NO_PAYLOAD } : deletion ? { value: undefined } : undefined,
  };
}

function readFailure(failure: RawFailure | null | undefined): Said {
  if (!failure) return { kind: "nothing" };
  const { commandId, description, restart = false } = failure;
  return { kind: "failure", commandId: Number(commandId), description, restarts: restart };
}

export function readAction(action: RawAction | null | undefined): Action | undefined {
  const { reply, forward, failure } = action ?? {};
  if (failure) return { kind: "failure", description: failure.description, restarts: failure.restart ?? false };
  if (forward) return { kind: "forward", forward: readForward(forward) };
  if (!reply?.payload) return undefined;
  return { kind: "reply", payload: reply.payload, metadata: reply.metadata?.entries ?? [] };
}

export function readEffect(effect: RawEffect): Effect {
  return { ...readForward(effect), synchronous: effect.synchronous };
}

function readForward({ serviceName, commandName, payload, metadata }: RawForward): Forward {
  return { serviceName, commandName, payload: payload ?? NO_PAYLOAD, metadata: metadata?.entries ?? [] };
}
