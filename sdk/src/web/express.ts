/** Modules in an Express app, or in any whose handlers get Node's request and response: `mount(app, { modules, secret })`. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { MOST_BODY_BYTES, problem, type WebAnswer, WebHost, type WebHostOptions } from "./web-host.ts";

export interface MountOptions extends WebHostOptions {
  /** Where in the app; `/genserverless` unless given. */
  path?: string;
}

type Handler = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

interface App {
  all(path: string, handler: Handler): unknown;
}

/** What a framework, or a platform, may have put there. */
interface Seen {
  originalUrl?: string;
  /** The body as it came. */
  rawBody?: unknown;
  body?: unknown;
}

/** Before any body parser that is for all paths: what a signature is made of is the body as it came. */
export function mount(app: App, { path = "/genserverless", ...options }: MountOptions): void {
  const host = new WebHost(options);
  app.all(path, (req, res, next) => {
    answer(host, req)
      .then((given) => send(res, given))
      .catch(next);
  });
}

async function answer(host: WebHost, req: IncomingMessage & Seen): Promise<WebAnswer> {
  const body = await readBody(req);
  if (!body) {
    const detail = "something has read the body before: mount genserverless before express.json() and its like";
    return problem(500, "body_taken", detail);
  }
  const header = (name: string) => {
    const value = req.headers[name];
    return typeof value === "string" ? value : undefined;
  };
  return await host.handle({ method: req.method ?? "", target: req.originalUrl ?? req.url ?? "", header, body });
}

/** The first bytes beyond what is taken too, and no more. Undefined where the body is gone. */
async function readBody(req: IncomingMessage & Seen): Promise<Buffer | undefined> {
  if (Buffer.isBuffer(req.rawBody)) return req.rawBody;
  if (Buffer.isBuffer(req.body)) return req.body;
  if (req.readableDidRead) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Not destroyed by a break: what is too large is told so.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MOST_BODY_BYTES) break;
  }
  return Buffer.concat(chunks);
}

function send(res: ServerResponse, { status, headers, body }: WebAnswer): void {
  res.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body), "cache-control": "no-store" });
  res.end(body);
}
