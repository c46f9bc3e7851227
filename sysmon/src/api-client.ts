/**
 * Asks the cluster through its own HTTP API. What an operator does goes this way and no other, so that what holds for
 * every caller – validation, idempotency, the token – holds for both skins too.
 */

import type { Agent, Dispatcher } from "undici";

export interface ApiClientOptions {
  /** Where the API is, e.g. `http://127.0.0.1:8080`; what follows the host is dropped. */
  url: string;
  /** The cluster's API_TOKEN, where it has one. */
  token?: string | undefined;
}

export interface ApiAnswer {
  status: number;
  /** What was JSON parsed, else the text itself; undefined where nothing came. */
  body: unknown;
}

export interface ApiRequest {
  /** Sent as it is, as `application/json`. */
  body?: Uint8Array | string | undefined;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** No answer came. */
export class ApiAway extends Error {
  override name = "ApiAway";
}

/** A call may wait for its reply for ten minutes. */
const HEADERS_WITHIN_MS = 610_000;
const CONNECT_WITHIN_MS = 3_000;

export class ApiClient {
  readonly #origin: string;
  readonly #headers: Record<string, string>;
  #agent: Promise<Agent> | undefined;

  constructor({ url, token }: ApiClientOptions) {
    this.#origin = new URL(url).origin;
    this.#headers = token ? { authorization: `Bearer ${token}` } : {};
  }

  /** Resolves whatever the status; throws `ApiAway` where no answer came. `path` begins with a slash. */
  async request(method: Dispatcher.HttpMethod, path: string, body?: unknown): Promise<ApiAnswer> {
    const given = body === undefined ? {} : { body: JSON.stringify(body) };
    const { statusCode, body: answer } = await this.open(method, path, given);
    try {
      return { status: statusCode, body: readBody(await answer.text()) };
    } catch (error) {
      throw new ApiAway(`the answer broke off: ${(error as Error).message}`);
    }
  }

  /** The same, with the answer's body still to come. */
  async open(
    method: Dispatcher.HttpMethod,
    path: string,
    { body, headers, signal }: ApiRequest = {},
  ): Promise<Dispatcher.ResponseData> {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    try {
      this.#agent ??= openAgent();
      const agent = await this.#agent;
      return await agent.request({
        origin: this.#origin,
        path,
        method,
        headers: { ...headers, ...type, ...this.#headers },
        body: body ?? null,
        signal: signal ?? null,
      });
    } catch (error) {
      throw new ApiAway(`no answer from ${this.#origin}: ${(error as Error).message}`);
    }
  }

  /** Requests under way fail. */
  async close(): Promise<void> {
    await (await this.#agent)?.destroy();
  }
}

/** Its package is loaded only now: a sysmon that nobody acts with boots faster without. */
async function openAgent(): Promise<Agent> {
  const { Agent } = await import("undici");
  return new Agent({
    connect: { timeout: CONNECT_WITHIN_MS },
    headersTimeout: HEADERS_WITHIN_MS,
    bodyTimeout: 0,
    pipelining: 1,
  });
}

function readBody(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
