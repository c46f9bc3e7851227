/** What a client of one process is sent and answers, typed by the process's module. */

import type { HandlerKind, NamedMessage, NameIn } from "./handlers.ts";
import type { RequestOptions } from "./requests.ts";
import type { ServerModule } from "./server-module.ts";

export interface CallOptions extends RequestOptions {
  /** How long the cluster waits for the reply; 5,000 unless given. */
  timeoutMs?: number;
}

export interface SendOptions extends RequestOptions {
  delayMs?: number;
}

/** A client of one process, typed by its module: what it takes, and what the handler of just this message replies. */
export interface ProcessClient<Module extends ServerModule> {
  readonly pid: string;
  call<Message extends CallOf<Module>>(message: Message, options?: CallOptions): Promise<ReplyTo<Module, Message>>;
  cast(message: CastOf<Module>, options?: SendOptions): Promise<{ messageId: string }>;
  info(message: InfoOf<Module>, options?: SendOptions): Promise<{ messageId: string }>;
  stop(reason?: string, options?: RequestOptions): Promise<{ reason: string }>;
}

type CallOf<Module extends ServerModule> = MessageOf<Named<Module, "calls">, RawOf<Module, "handleCall">>;
type CastOf<Module extends ServerModule> = MessageOf<Named<Module, "casts">, RawOf<Module, "handleCast">>;
type InfoOf<Module extends ServerModule> = MessageOf<Named<Module, "infos">, RawOf<Module, "handleInfo">>;

type RawOf<Module extends ServerModule, Callback extends "handleCall" | "handleCast" | "handleInfo"> = Parameters<
  NonNullable<Module[Callback]>
>[0];
/** The handlers by name; none where the module is any module. */
type Named<Module extends ServerModule, Kind extends HandlerKind> = string extends keyof NonNullable<Module[Kind]>
  ? Record<never, never>
  : NonNullable<Module[Kind]>;

/** Beside named handlers a raw callback counts where its author has said what it takes. */
type MessageOf<Handlers, Raw> = [keyof Handlers] extends [never]
  ? Raw
  : NamedMessage<Handlers> | (unknown extends Raw ? never : Raw);

/** Of the handler that the message names, or of handleCall. The cluster sends a reply as JSON. */
type ReplyTo<Module extends ServerModule, Message> = Message extends unknown
  ? [NameIn<Named<Module, "calls">, Message>] extends [never]
    ? RepliesOf<Module["handleCall"]>
    : HandlerReplies<Named<Module, "calls">[NameIn<Named<Module, "calls">, Message>]>
  : never;
type HandlerReplies<Handler> = Handler extends { handle: infer Handle } ? RepliesOf<Handle> : never;
type RepliesOf<Callback> = Callback extends (...given: never) => infer Returned ? ValueIn<Awaited<Returned>> : never;
type ValueIn<Returned> = Returned extends { readonly reply: infer Value } ? Value : never;
