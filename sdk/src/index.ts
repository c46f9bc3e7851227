/** The door for module authors. Callers find theirs at `genserverless/client`. */

export type { Context, From, Log } from "./contract.ts";
export { type CallReturn, type CastReturn, type InitReturn, type Next, noreply, ok, reply, stop } from "./returns.ts";
export { type Definition, defineServer, type ServerModule } from "./server-module.ts";
