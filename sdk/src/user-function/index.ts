/** The door for user functions: entities and actions that any Node program serves to a backend over gRPC. */

export { Action } from "./action.ts";
export type { ActionHandler } from "./action-call.ts";
export type { Behavior, CommandHandler, EventHandler, EventSourcedContext } from "./awake-entity.ts";
export type { CommandContext, MetadataEntry } from "./command-context.ts";
export { Entity, type EntityOptions } from "./entity.ts";
export { type StartOptions, UserFunction } from "./server.ts";
export type { StatefulOptions } from "./stateful-service.ts";
export type { ServiceFiles, ServiceOptions } from "./user-service.ts";
export { ValueEntity } from "./value-entity.ts";
export type { ValueContext, ValueHandler } from "./value-stream.ts";
