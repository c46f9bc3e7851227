/**
 * What a user function wants to be served, read of its answer to discovery and checked. What is wrong is told by name and
 * concerns one entity: the others are served. Nothing can be served where the answer as a whole cannot be read.
 */

import { createHash } from "node:crypto";
import { isPidPart } from "@genserverless/shared/process/pid.ts";
import {
  type Descriptor,
  DescriptorError,
  type Method,
  readDescriptorFile,
  readDescriptorSet,
  type Service,
} from "../descriptor/descriptor.ts";
import { nameOf } from "../entity/entity-names.ts";

export type Protocol = "lightbend" | "cloudstate";
export type Kind = "event-sourced" | "value" | "action";

/** One service of the user function. */
export interface Served {
  protocol: Protocol;
  kind: Kind;
  service: Service;
  /** Without the streamed ones. */
  methods: ReadonlyMap<string, Method>;
  /** The module whose processes are its entities; "" of an action. */
  module: string;
  /** Where the user function has said it. */
  passivationTimeoutMs: number | undefined;
}

export interface Spec {
  protocol: Protocol;
  /** The same for the same answer. */
  fingerprint: string;
  descriptor: Descriptor;
  /** By the full name of the service. */
  services: ReadonlyMap<string, Served>;
  /** What is not served, and why. */
  faults: readonly string[];
}

/** As it comes over the wire. */
export interface EntitySpec {
  proto: Uint8Array;
  entities: EntityProto[];
  serviceInfo?: { protocolMajor: number; protocolMinor: number } | null;
}

interface EntityProto {
  entityType: string;
  serviceName: string;
  persistenceId: string;
  passivationStrategy?: { timeout?: { timeout: number | { toString(): string } } | null } | null;
}

/** The same in the first protocol. */
export interface FirstEntitySpec {
  proto: Uint8Array;
  serviceName: string;
  persistenceId: string;
}

/** Nothing of the answer can be served. */
export class SpecError extends Error {
  override name = "SpecError";
}

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["cloudstate.eventsourced.EventSourced", "event-sourced"],
  ["cloudstate.valueentity.ValueEntity", "value"],
  ["cloudstate.action.ActionProtocol", "action"],
]);

export const SUPPORTED_TYPES = [...KINDS.keys()];
/** 0.0 is what a library says that is older than this field. */
const VERSIONS = ["0.0", "0.1", "0.2"];
const OWN_SERVICES = /^grpc\.(health|reflection)\./;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Throws SpecError. */
export function readFirstSpec({ proto, serviceName, persistenceId }: FirstEntitySpec): Spec {
  const descriptor = readOrRefuse(() => readDescriptorFile(proto));
  const entity = { kind: "event-sourced" as const, serviceName, persistenceId, passivationTimeoutMs: undefined };
  const fingerprint = fingerprintOf([proto, serviceName, persistenceId]);
  return toSpec({ protocol: "lightbend", fingerprint, descriptor }, [entity], []);
}

/** Throws SpecError. */
export function readSpec({ proto, entities, serviceInfo }: EntitySpec): Spec {
  const version = `${serviceInfo?.protocolMajor ?? 0}.${serviceInfo?.protocolMinor ?? 0}`;
  if (!VERSIONS.includes(version)) {
    throw new SpecError(`protocol ${version} is not spoken here: 0.1 and 0.2 are, and libraries that name none`);
  }
  if (entities.length === 0) throw new SpecError("it names no entities");
  const descriptor = readOrRefuse(() => readDescriptorSet(proto));
  const faults: string[] = [];
  const known = entities.flatMap((entity) => {
    const { entityType, serviceName, persistenceId } = entity;
    const kind = KINDS.get(entityType);
    if (!kind) {
      faults.push(`${serviceName}: the entity type ${entityType} is not supported; ${SUPPORTED_TYPES.join(", ")} are`);
      return [];
    }
    return [{ kind, serviceName, persistenceId, passivationTimeoutMs: readTimeout(entity) }];
  });
  const fingerprint = fingerprintOf([proto, JSON.stringify([known, faults])]);
  return toSpec({ protocol: "cloudstate", fingerprint, descriptor }, known, faults);
}

/**
 * The same without the entities whose module is one of these, which workers run: two kinds of processes under one name.
 * Throws SpecError where nothing is left.
 */
export function withoutModules(spec: Spec, taken: ReadonlySet<string>): Spec {
  const isTaken = ({ module }: Served) => module !== "" && taken.has(module);
  const clashes = [...spec.services.values()].filter(isTaken);
  if (clashes.length === 0) return spec;
  const faults = clashes.map(({ service, module }) => `${service.name}: workers run a module of the name ${module}`);
  const services = new Map([...spec.services].filter(([, served]) => !isTaken(served)));
  if (services.size === 0) throw new SpecError([...spec.faults, ...faults].join("; "));
  return { ...spec, services, faults: [...spec.faults, ...faults] };
}

interface Entity {
  kind: Kind;
  serviceName: string;
  persistenceId: string;
  passivationTimeoutMs: number | undefined;
}

function toSpec(
  base: Pick<Spec, "protocol" | "fingerprint" | "descriptor">,
  entities: readonly Entity[],
  known: readonly string[],
): Spec {
  const faults = [...known];
  const services = new Map<string, Served>();
  for (const entity of entities) {
    const { kind, serviceName: name, persistenceId, passivationTimeoutMs } = entity;
    const service = base.descriptor.services.get(name);
    const fault = service ? findFault(entity, service, entities) : "the service is not in the descriptor";
    if (!service || fault) {
      faults.push(`${name || "a service without a name"}: ${fault}`);
      continue;
    }
    for (const method of kind === "action" ? service.methods.filter(({ isStreamed }) => isStreamed) : []) {
      faults.push(`${name}.${method.name}: streamed methods are not supported`);
    }
    const methods = new Map(service.methods.flatMap((method) => (method.isStreamed ? [] : [[method.name, method]])));
    const module = kind === "action" ? "" : nameOf(persistenceId);
    services.set(name, { protocol: base.protocol, kind, service, methods, module, passivationTimeoutMs });
  }
  if (services.size === 0) throw new SpecError(faults.join("; "));
  return { ...base, services, faults };
}

/** Why an entity cannot be served. Of an action only its streamed methods are not. */
function findFault(entity: Entity, service: Service, entities: readonly Entity[]): string | undefined {
  const isSame = ({ serviceName }: Entity) => serviceName === entity.serviceName;
  if (entities.filter(isSame).length > 1) return "it is named more than once";
  if (OWN_SERVICES.test(service.name)) return "the gateway serves one of this name itself";
  if (service.methods.length === 0) return "the service has no methods";
  if (entity.kind === "action") return undefined;
  const { persistenceId } = entity;
  if (persistenceId === "") return "it has no persistence_id";
  if (!isPidPart(nameOf(persistenceId))) return `its persistence_id is too long: ${persistenceId}`;
  const twin = entities.find((other) => other !== entity && other.persistenceId === persistenceId);
  if (twin && twin.kind !== "action") return `its persistence_id ${persistenceId} is that of ${twin.serviceName} too`;
  for (const { name, isStreamed, keyFault, keyFields, inputType } of service.methods) {
    if (isStreamed) return `streamed methods are not supported: ${name}`;
    if (keyFault) return `${name}: ${keyFault}`;
    if (keyFields.length === 0) return `${name}: no field of ${inputType} is an entity_key`;
  }
  return undefined;
}

function readTimeout({ passivationStrategy }: EntityProto): number | undefined {
  const ms = Number(String(passivationStrategy?.timeout?.timeout ?? 0));
  return ms > 0 ? Math.min(ms, LONGEST_TIMER_MS) : undefined;
}

function readOrRefuse(read: () => Descriptor): Descriptor {
  try {
    return read();
  } catch (error) {
    if (error instanceof DescriptorError) throw new SpecError(error.message);
    throw error;
  }
}

function fingerprintOf(parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\n");
  return hash.digest("hex");
}
