/**
 * The door for callers: a client of the cluster's HTTP interface. Every failure is a `ProblemError` (the cluster said
 * no), a `ConnectionError` (no answer came) or the reason of the caller's signal; when requests are repeated is told in
 * transport.ts.
 */

import type { ClusterView, MessageView, ProcessPage, ProcessStatus, ProcessView, StartAnswer } from "./answers.ts";
import { OperatorClient } from "./operator-client.ts";
import type { CallOptions, ProcessClient, SendOptions } from "./process-client.ts";
import { pathOf, type ReadOptions, type RequestOptions, Requests } from "./requests.ts";
import type { ServerModule } from "./server-module.ts";
import type { TransportOptions } from "./transport.ts";

export type * from "./answers.ts";
export type * from "./operator-answers.ts";
export type { CallOptions, ProcessClient, SendOptions } from "./process-client.ts";
export { ConnectionError, ProblemError } from "./request-errors.ts";
export type { ReadOptions, RequestOptions } from "./requests.ts";

export type ClientOptions = TransportOptions;

export interface StartFields {
  /** Generated unless given. */
  key?: string;
  args?: unknown;
  /** Whether an existing process is an error, as it is unless given, or the answer. */
  ifExists?: "error" | "return";
  options?: { tags?: readonly string[]; idleAfterMs?: number | "infinity" };
}

export interface ListOptions extends ReadOptions {
  module?: string;
  status?: ProcessStatus;
  tag?: string;
  /** A worker, by its name or its session. */
  owner?: string;
  limit?: number;
  cursor?: string;
}

const DEFAULT_CALL_TIMEOUT_MS = 5_000;
/** How long the cluster itself waits for an init, and for a stop behind the mail before it. */
const LIFE_TIMEOUT_MS = 60_000;

export function createClient(options: ClientOptions): Client {
  return new Client(options);
}

/** What operators do is in `OperatorClient`, which this one is too. */
export class Client extends OperatorClient implements AsyncDisposable {
  readonly #requests: Requests;

  constructor(options: ClientOptions) {
    const requests = new Requests(options);
    super(requests);
    this.#requests = requests;
  }

  /** Answers when init has committed. */
  async start(module: string, fields: StartFields = {}, options: RequestOptions = {}): Promise<StartAnswer> {
    const answer = await this.#requests.post("/v1/processes", { module, ...fields }, options, LIFE_TIMEOUT_MS);
    return { ...(answer.body as Omit<StartAnswer, "created">), created: answer.status === 201 };
  }

  /** The reply, which is sent after the state has been committed. */
  async call(pid: string, message: unknown, { timeoutMs, ...options }: CallOptions = {}): Promise<unknown> {
    const waitMs = timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    const answer = await this.#requests.post(`${pathOf(pid)}/call`, { message, timeoutMs }, options, waitMs);
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
    const answer = await this.#requests.post(`${pathOf(pid)}/stop`, { reason }, options, LIFE_TIMEOUT_MS);
    return answer.body as { reason: string };
  }

  /** The process as last committed, with its state when asked for. */
  inspect(pid: string, options: ReadOptions & { state: true }): Promise<ProcessView & { state: unknown }>;
  inspect(pid: string, options?: ReadOptions & { state?: boolean }): Promise<ProcessView>;
  async inspect(pid: string, { state, ...options }: ReadOptions & { state?: boolean } = {}): Promise<unknown> {
    return this.#requests.get(pathOf(pid), { state: state || undefined }, options);
  }

  async list({ signal, ...query }: ListOptions = {}): Promise<ProcessPage> {
    return (await this.#requests.get("/v1/processes", query, signal ? { signal } : {})) as ProcessPage;
  }

  /** What became of a message; with `waitMs` the answer waits so long for its end. */
  async message(id: string, { waitMs, ...options }: ReadOptions & { waitMs?: number } = {}): Promise<MessageView> {
    return (await this.#requests.get(messagePath(id), { wait: waitMs }, options, waitMs)) as MessageView;
  }

  /** Takes back a message that is still queued or delayed. */
  async cancel(messageId: string, options: ReadOptions = {}): Promise<MessageView> {
    return (await this.#requests.delete(messagePath(messageId), options)) as MessageView;
  }

  async cluster(options: ReadOptions = {}): Promise<ClusterView> {
    return (await this.#requests.get("/v1/cluster", {}, options)) as ClusterView;
  }

  /**
   * One process, its messages and replies typed by its module:
   * `client.process<typeof accumulator>("accumulator/alice").call("total")`.
   */
  process<Module extends ServerModule>(pid: string): ProcessClient<Module> {
    return {
      pid,
      call: async (message, options) => (await this.call(pid, message, options)) as never,
      cast: (message, options) => this.cast(pid, message, options),
      info: (message, options) => this.info(pid, message, options),
      stop: (reason, options) => this.stop(pid, reason, options),
    };
  }

  /** Ends when the requests under way have ended. */
  close(): Promise<void> {
    return this.#requests.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #enqueue(pid: string, kind: "cast" | "info", message: unknown, { delayMs, ...options }: SendOptions = {}) {
    const answer = await this.#requests.post(`${pathOf(pid)}/${kind}`, { message, delayMs }, options);
    return answer.body as { messageId: string };
  }
}

function messagePath(id: string): string {
  return `/v1/messages/${encodeURIComponent(id)}`;
}
