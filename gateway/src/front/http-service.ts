/** The services over HTTP/1.1 and JSON, and what says how the gateway is. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { status } from "@grpc/grpc-js";
import { toBase64 } from "../entity/command-content.ts";
import { JsonError } from "../json/json-error.ts";
import type { HttpAnswer, JsonRoutes } from "../json/routes.ts";
import type { Commands } from "./commands.ts";
import { CallFailure } from "./failures.ts";

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export interface HttpOptions {
  commands: Commands;
  routes(): JsonRoutes | undefined;
  /** What it waits for before calls work; empty where they do. */
  waitsFor(): readonly string[];
}

/** As gRPC takes it. */
const MOST_BODY_BYTES = 4 * 1024 * 1024;
const PROBE = "k-network-probe";

/** Others are 500. */
const HTTP_STATUSES: Partial<Record<status, number>> = {
  [status.CANCELLED]: 400,
  [status.INVALID_ARGUMENT]: 400,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  [status.PERMISSION_DENIED]: 403,
  [status.UNAUTHENTICATED]: 401,
  [status.RESOURCE_EXHAUSTED]: 507,
  [status.FAILED_PRECONDITION]: 412,
  [status.OUT_OF_RANGE]: 416,
  [status.UNIMPLEMENTED]: 501,
  [status.UNAVAILABLE]: 503,
};

const utf8 = new TextDecoder("utf-8", { fatal: true });

class Refusal extends Error {
  readonly httpStatus: number;

  constructor(httpStatus: number, message: string) {
    super(message);
    this.httpStatus = httpStatus;
  }
}

export function createHttpHandler(options: HttpOptions): HttpHandler {
  return async (request, response) => {
    try {
      const { contentType, body } = await answer(request, options);
      response.writeHead(200, { "content-type": contentType }).end(body);
    } catch (error) {
      const [httpStatus, text] = explain(error as Error);
      response.writeHead(httpStatus, { "content-type": "text/plain; charset=utf-8" }).end(text);
    }
  };
}

async function answer(request: IncomingMessage, options: HttpOptions): Promise<HttpAnswer> {
  const { method = "GET", headers } = request;
  const { path, query } = readTarget(request.url ?? "/");
  const probe = headers[PROBE];
  if (probe !== undefined) return answerProbe(String(probe));
  if (path === "/alive") return { contentType: "application/json", body: '{"status":"alive"}' };
  if (path === "/ready") return answerReady(options.waitsFor());
  const route = options.routes()?.find(method, path);
  if (!route) throw new Refusal(404, "Requested resource not found!");
  refuseOtherSites(request);
  const body = await readBody(request);
  const payload = toBase64(route.readRequest({ method, path, query, body }));
  const { serviceName, commandName } = route;
  const reply = await options.commands.run({ serviceName, commandName, payload, metadata: [] });
  try {
    return route.printResponse(reply.payload);
  } catch (error) {
    // The request was right, and has been done.
    throw new Refusal(500, `the response has no JSON: ${(error as Error).message}`);
  }
}

/** By hand, for a URL takes `..` for a step and a backslash for a slash: both may be in an entity id. */
function readTarget(target: string): { path: string; query: URLSearchParams } {
  const [path = "", ...query] = target.replace(/^https?:\/\/[^/?]*/i, "").split("?");
  return { path: path || "/", query: new URLSearchParams(query.join("?")) };
}

/** What was replaced could name another entity. */
function readUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new JsonError("the body is not UTF-8");
  }
}

/** Knative asks whether it is the queue that answers. */
function answerProbe(probe: string): HttpAnswer {
  if (probe !== "queue") throw new Refusal(400, `unexpected probe ${probe}`);
  return { contentType: "text/plain; charset=utf-8", body: "queue" };
}

function answerReady(waitsFor: readonly string[]): HttpAnswer {
  if (waitsFor.length > 0) throw new Refusal(503, `waits for ${waitsFor.join(", ")}`);
  return { contentType: "application/json", body: '{"status":"ready"}' };
}

/** A page of another site must not act here through its reader's browser, which names the page's origin. */
function refuseOtherSites({ method, headers: { origin, host } }: IncomingMessage): void {
  if (origin === undefined || method === "GET" || method === "HEAD") return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new Refusal(403, "only pages of this host itself may send this");
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_BODY_BYTES) throw new Refusal(413, `a body has at most ${MOST_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return readUtf8(Buffer.concat(chunks));
}

function explain(error: Error): [httpStatus: number, text: string] {
  if (error instanceof Refusal) return [error.httpStatus, error.message];
  if (error instanceof JsonError) return [400, error.message];
  if (error instanceof CallFailure) return [HTTP_STATUSES[error.status] ?? 500, error.message];
  return [500, "Something went wrong in the gateway"];
}
