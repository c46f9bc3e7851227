/**
 * What runs in a sandbox: loads a project's functions.js and answers for one of its functions.
 *
 * File descriptor 3 is a connection to the service, which speaks HTTP on it, one request after the other. The first is
 * the order what to load; it is answered with 200, or with 500 and what is wrong. Each that follows is for the function:
 * as it is where the type is http, and with `{"event": …}` as its body where it is cron or event. When the connection
 * ends so does this process.
 *
 * The service strips the types and hands this one file to its sandboxes. It is no ES module then: Node takes twice the
 * time to begin with one of those. So it imports nothing, and takes what it needs of Node as below.
 */

import type { IncomingMessage, ServerResponse } from "node:http";

const { createServer } = process.getBuiltinModule("node:http");
const { createRequire } = process.getBuiltinModule("node:module");
const { Socket } = process.getBuiltinModule("node:net");
const { pathToFileURL } = process.getBuiltinModule("node:url");
const { inspect } = process.getBuiltinModule("node:util");

export interface LoadOrder {
  /** The path of functions.js, or .mjs, .cjs, .ts, .mts, .cts. */
  entry: string;
  /** The function that this sandbox is for; where there is none, all that are declared are looked for. */
  name?: string;
  type?: "http" | "cron" | "event";
  declared?: string[];
  env: Record<string, string>;
  /** A listening socket that it was born with: further connections come there, for the function alone. */
  doorFd?: number;
}

export interface LoadFailure {
  reason: "not_loaded" | "not_exported";
  message: string;
}

export interface RunAnswer {
  status: "completed" | "failed";
  error?: string;
}

type Callback = (...args: unknown[]) => unknown;

const LONGEST_ERROR = 4_000;
const CONNECTION_FD = 3;
const ENVS = "ESERVELESS_";

let answer: (req: IncomingMessage, res: ServerResponse) => void = takeOrder;

function takeOrder(req: IncomingMessage, res: ServerResponse): void {
  readJson(req)
    .then((order) => load(order as LoadOrder))
    .then(
      (failure) => res.writeHead(failure ? 500 : 200).end(JSON.stringify(failure ?? {})),
      (error: unknown) => {
        const failure: LoadFailure = { reason: "not_loaded", message: describe(error) };
        res.writeHead(500).end(JSON.stringify(failure));
      },
    );
}

async function load({ entry, name, type, declared, env, doorFd }: LoadOrder): Promise<LoadFailure | undefined> {
  Object.assign(process.env, env);
  const exported = await importEntry(entry);
  const wanted = name === undefined ? (declared ?? []) : [name];
  const missing = wanted.filter((one) => one in Object.prototype || typeof exported[one] !== "function");
  if (missing.length > 0) {
    return { reason: "not_exported", message: `${missing.join(", ")}: no such function is exported` };
  }
  const callback = exported[name ?? ""] as Callback;
  answer = type === "http" ? (req, res) => serve(callback, req, res) : (req, res) => invoke(callback, type, req, res);
  if (doorFd !== undefined) server.listen({ fd: doorFd });
  return undefined;
}

/** Exports of either kind, and what a default export holds. */
async function importEntry(entry: string): Promise<Record<string, unknown>> {
  const module = await loadModule(entry);
  const inner = module["default"];
  const isHolder = (typeof inner === "object" && inner !== null) || typeof inner === "function";
  return isHolder ? Object.assign(Object.create(inner as object), module) : module;
}

/** An ES module that awaits something at its top can be imported only. */
async function loadModule(entry: string): Promise<Record<string, unknown>> {
  try {
    return (createRequire(entry)(entry) ?? {}) as Record<string, unknown>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_REQUIRE_ASYNC_MODULE") throw error;
    return (await import(pathToFileURL(entry).href)) as Record<string, unknown>;
  }
}

/** Who sent the request that is in hand: the connection is one to the service, and a function means its client. */
const client = new WeakMap<object, string | undefined>();

function serve(callback: Callback, req: IncomingMessage, res: ServerResponse): void {
  const from = String(req.headers["x-forwarded-for"] ?? "127.0.0.1")
    .split(",")[0]
    ?.trim();
  client.set(req.socket, from);
  run(callback, [req, res]).catch((error: unknown) => {
    console.error(describe(error));
    if (res.headersSent) res.destroy();
    else {
      for (const name of res.getHeaderNames()) res.removeHeader(name);
      res.writeHead(500, { "x-function-threw": "1" }).end(describe(error).split("\n")[0]);
    }
  });
}

function invoke(callback: Callback, type: string | undefined, req: IncomingMessage, res: ServerResponse): void {
  const tell = (told: RunAnswer) => res.writeHead(200).end(JSON.stringify(told));
  readJson(req)
    .then((body) => run(callback, type === "event" ? [(body as { event?: unknown }).event, envs()] : [envs()]))
    .then(
      () => tell({ status: "completed" }),
      (error: unknown) => {
        console.error(describe(error));
        tell({ status: "failed", error: describe(error) });
      },
    );
}

async function run(callback: Callback, args: unknown[]): Promise<void> {
  await callback(...args);
}

function envs(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith(ENVS)));
}

async function readJson(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString() || "{}");
}

function describe(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? String(error)) : inspect(error);
  return text.slice(0, LONGEST_ERROR);
}

/** What is printed is printed: before the process ends, and before more is printed than is read. */
for (const stream of [process.stdout, process.stderr]) {
  (stream as { _handle?: { setBlocking?(isBlocking: boolean): void } })._handle?.setBlocking?.(true);
}

const connection = new Socket({ fd: CONNECTION_FD });
connection.on("close", () => process.exit(0));
const unbounded = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, requireHostHeader: false };
const server = createServer(unbounded, (req, res) => answer(req, res));
server.on("connection", (socket) => {
  Object.defineProperty(socket, "remoteAddress", { get: () => client.get(socket) });
});
server.emit("connection", connection);
