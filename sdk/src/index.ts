/** The door for module authors. Callers find theirs at `genserverless/client`, tests of modules at `genserverless/testing`. */

export type { Context, From, Log, Missed, Pid } from "./contract.ts";
export { defineEntity, type EntityDefinition } from "./entity/define-entity.ts";
export type { EntityContext, VersionedEvent } from "./entity/entity-types.ts";
export {
  type CallReturn,
  type CastReturn,
  type InitReturn,
  ignore,
  type Next,
  noreply,
  ok,
  reply,
  stop,
} from "./returns.ts";
export { CallError, EffectError } from "./runtime/turn-errors.ts";
export { type Definition, defineServer, type ServerModule } from "./server-module.ts";
export { defineSupervisor } from "./supervisor/define-supervisor.ts";
