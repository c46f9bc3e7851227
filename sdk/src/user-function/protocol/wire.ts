/** Both protocols as grpc-js and this library see them. The shapes of messages are told in this package's `proto` folder. */

import type { ServiceDefinition } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { joinProtoFiles, ownProto, readProtoFiles } from "../descriptor/proto-files.ts";
import type { AnyValue } from "./any.ts";

/** An int64: a Long where it came from the wire. */
export type Int64 = number | { toNumber(): number };

export interface WireMetadata {
  readonly entries: readonly {
    readonly key: string;
    readonly stringValue?: string;
    readonly bytesValue?: Uint8Array;
  }[];
}

export interface WireCommand {
  readonly entityId: string;
  readonly id: Int64;
  readonly name: string;
  readonly payload?: AnyValue | null;
  readonly metadata?: WireMetadata | null;
}

export interface WireForward {
  readonly serviceName: string;
  readonly commandName: string;
  readonly payload: AnyValue;
}

export interface WireSideEffect extends WireForward {
  readonly synchronous: boolean;
}

export interface WireFailure {
  readonly commandId?: Int64;
  readonly description: string;
}

const PROTOCOL_FILES = [
  "lightbend/serverless/entity.proto",
  "cloudstate/entity.proto",
  "cloudstate/event_sourced.proto",
  "cloudstate/value_entity.proto",
  "cloudstate/action.proto",
];

const root = joinProtoFiles(readProtoFiles(PROTOCOL_FILES.map(ownProto)), { keepCase: false });

export const FIRST_ENTITY = withSpecAsBytes(defineService("lightbend.serverless.Entity"));
export const ENTITY_DISCOVERY = defineService("cloudstate.EntityDiscovery");
export const EVENT_SOURCED = defineService("cloudstate.eventsourced.EventSourced");
export const VALUE_ENTITY = defineService("cloudstate.valueentity.ValueEntity");
export const ACTION_PROTOCOL = defineService("cloudstate.action.ActionProtocol");

function defineService(name: string): ServiceDefinition {
  const service = root.lookupService(name);
  return Object.fromEntries(service.methodsArray.map((method) => [method.name, defineMethod(name, method)]));
}

function defineMethod(service: string, method: protobuf.Method): ServiceDefinition[string] {
  method.resolve();
  const { resolvedRequestType: request, resolvedResponseType: response } = method;
  if (!request || !response) throw new Error(`The types of ${service}/${method.name} are not found`);
  return {
    path: `/${service}/${method.name}`,
    requestStream: method.requestStream === true,
    responseStream: method.responseStream === true,
    requestSerialize: (message: object) => Buffer.from(request.encode(message).finish()),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message: object) => Buffer.from(response.encode(message).finish()),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

/** An EntitySpec whose `proto` is serialized already: decoding it here would lose the options that this file does not know. */
export interface FirstSpec {
  readonly proto: Uint8Array;
  readonly serviceName: string;
  readonly persistenceId: string;
}

function withSpecAsBytes(entity: ServiceDefinition): ServiceDefinition {
  const spec = new protobuf.Type("EntitySpec")
    .add(new protobuf.Field("proto", 1, "bytes"))
    .add(new protobuf.Field("serviceName", 2, "string"))
    .add(new protobuf.Field("persistenceId", 3, "string"));
  const { ready } = entity;
  if (!ready) throw new Error("The first protocol has no ready");
  const responseSerialize = (message: FirstSpec) => Buffer.from(spec.encode(message).finish());
  return { ...entity, ready: { ...ready, responseSerialize } };
}
