/**
 * The door for callers: a client of the cluster's HTTP interface. Every failure is a `ProblemError` (the cluster said
 * no), a `ConnectionError` (no answer came) or the reason of the caller's signal; when requests are repeated is told in
 * transport.ts.
 */

import { randomUUID } from "node:crypto";
import type { ClusterView, MessageView, ProcessPage, ProcessStatus, ProcessView, StartAnswer } from "./answers.ts";
import type { HandlerKind, NamedMessage, NameIn } from "./handlers.ts";
import type { ServerModule } from "./server-module.ts";
import { Transport, type TransportOptions } from "./transport.ts";

export type * from "./answers.ts";
export { ConnectionError, ProblemError } from "./request-errors.ts";

export type ClientOptions = TransportOptions;

export interface RequestOptions {
  /** Requests with one key and one body are done once and answered alike; a random one is sent unless given. */
  idempotencyKey?: string;
  signal?: AbortSignal;
}

export interface StartFields {
  /** Generated unless given. */
  key?: string;
  args?: unknown;
  /** Whether an existing process is an error, as it is unless given, or the answer. */
  ifExists?: "error" | "return";
  options?: { tags?: readonly string[]; idleAfterMs?: number };
}

export interface CallOptions extends RequestOptions {
  /** How long the cluster waits for the reply; 5,000 unless given. */
  timeoutMs?: number;
}

export interface SendOptions extends RequestOptions {
  delayMs?: number;
}

export interface ReadOptions {
  signal?: AbortSignal;
}

export interface ListOptions extends ReadOptions {
  module?: string;
  status?: ProcessStatus;
  limit?: number;
  cursor?: string;
}

const DEFAULT_CALL_TIMEOUT_MS = 5_000;
/** How long the cluster itself waits for an init, and for a stop behind the mail before it. */
const LIFE_TIMEOUT_MS = 60_000;

export function createClient(options: ClientOptions): Client {
  return new Client(options);
}

export class Client implements AsyncDisposable {
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
  }

  /** Answers when init has committed. */
  async start(module: string, fields: StartFields = {}, options: RequestOptions = {}): Promise<StartAnswer> {
    const answer = await this.#post("/v1/processes", { module, ...fields }, LIFE_TIMEOUT_MS, options);
    return { ...(answer.body as Omit<StartAnswer, "created">), created: answer.status === 201 };
  }

  /** The reply, which is sent after the state has been committed. */
  async call(pid: string, message: unknown, { timeoutMs, ...options }: CallOptions = {}): Promise<unknown> {
    const waitMs = timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    const answer = await this.#post(`${pathOf(pid)}/call`, { message, timeoutMs }, waitMs, options);
    return (answer.body as { reply: unknown }).reply;
  }

  /** Answers when the message is in the mailbox. */
  async cast(pid: string, message: unknown, options?: SendOptions): Promise<{ messageId: string }> {
    return this.#enqueue(pid, "cast", message, options);
  }

  /** Like cast, for handleInfo. */
  async info(pid: string, message: unknown, options?: SendOptions): Promise<{ messageId: string }> {
    return this.#enqueue(pid, "info", message, options);
  }

  /** Answers when terminate has run, after all mail that came before; the reason is `normal` unless given. */
  async stop(pid: string, reason?: string, options: RequestOptions = {}): Promise<{ reason: string }> {
    const answer = await this.#post(`${pathOf(pid)}/stop`, { reason }, LIFE_TIMEOUT_MS, options);
    return answer.body as { reason: string };
  }

  /** The process as last committed, with its state when asked for. */
  inspect(pid: string, options: ReadOptions & { state: true }): Promise<ProcessView & { state: unknown }>;
  inspect(pid: string, options?: ReadOptions & { state?: boolean }): Promise<ProcessView>;
  async inspect(pid: string, { state, signal }: ReadOptions & { state?: boolean } = {}): Promise<unknown> {
    return this.#get(pathOf(pid), { state: state || undefined }, 0, signal);
  }

  async list({ signal, ...query }: ListOptions = {}): Promise<ProcessPage> {
    return (await this.#get("/v1/processes", query, 0, signal)) as ProcessPage;
  }

  /** What became of a message; with `waitMs` the answer waits so long for its end. */
  async message(id: string, { waitMs, signal }: ReadOptions & { waitMs?: number } = {}): Promise<MessageView> {
    return (await this.#get(messagePath(id), { wait: waitMs }, waitMs ?? 0, signal)) as MessageView;
  }

  /** Takes back a message that is still queued or delayed. */
  async cancel(messageId: string, { signal }: ReadOptions = {}): Promise<MessageView> {
    const answer = await this.#transport.send({ method: "DELETE", path: messagePath(messageId), waitMs: 0, signal });
    return answer.body as MessageView;
  }

  async cluster({ signal }: ReadOptions = {}): Promise<ClusterView> {
    return (await this.#get("/v1/cluster", {}, 0, signal)) as ClusterView;
  }

  /**
   * One process, its messages and replies typed by its module:
   * `client.process<typeof accumulator>("accumulator/alice").call("total")`.
   */
  process<Module extends ServerModule>(pid: string): ProcessClient<Module> {
    return {
      pid,
      call: async <Message>(message: Message, options?: CallOptions) =>
        (await this.call(pid, message, options)) as ReplyTo<Module, Message>,
      cast: (message, options) => this.cast(pid, message, options),
      info: (message, options) => this.info(pid, message, options),
      stop: (reason, options) => this.stop(pid, reason, options),
    };
  }

  /** Ends when the requests under way have ended. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #enqueue(pid: string, kind: "cast" | "info", message: unknown, { delayMs, ...options }: SendOptions = {}) {
    const answer = await this.#post(`${pathOf(pid)}/${kind}`, { message, delayMs }, 0, options);
    return answer.body as { messageId: string };
  }

  #post(path: string, body: object, waitMs: number, options: RequestOptions) {
    const { idempotencyKey = randomUUID(), signal } = options;
    return this.#transport.send({ method: "POST", path, body, waitMs, idempotencyKey, signal });
  }

  async #get(path: string, query: object, waitMs: number, signal: AbortSignal | undefined): Promise<unknown> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = given.length > 0 ? `?${new URLSearchParams(given)}` : "";
    return (await this.#transport.send({ method: "GET", path: path + search, waitMs, signal })).body;
  }
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

function pathOf(pid: string): string {
  const parts = pid.split("/");
  if (parts.length !== 2) throw new TypeError(`a pid is module/key, not ${JSON.stringify(pid)}`);
  return `/v1/processes/${parts.map(encodeURIComponent).join("/")}`;
}

function messagePath(id: string): string {
  return `/v1/messages/${encodeURIComponent(id)}`;
}
