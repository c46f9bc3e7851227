/** What a route's handler is given: everything it needs from the request, read and checked. */

import type { IncomingMessage } from "node:http";
import { isPidPart, type Pid, toPid } from "@genserverless/shared/process/pid.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { Request, Response } from "express";
import type { Route } from "../routes/route.ts";
import { readBytes, readJsonBody } from "./json-body.ts";
import { validate } from "./validate.ts";

type Params = Readonly<Record<string, string>>;

export interface Exchange {
  req: Request;
  res: Response;
}

export interface Input<Body = unknown, Query = unknown> {
  method: string;
  params: Params;
  query: Query;
  body: Body;
  /** Spread into a messenger's options: `idempotencyKey` where the client gave one, nothing otherwise. */
  idempotency: { idempotencyKey?: string };
  headers: IncomingMessage["headers"];
  /** For a route that answers by itself. */
  exchange: Exchange;
  /** True once nobody is there to read the answer. */
  isGone(): boolean;
}

export async function readInput(route: Route, req: Request, res: Response): Promise<Input> {
  const { method, headers, params } = req;
  const query = route.readBody || route.isRelayed ? undefined : readQuery(route, req.url);
  const idempotency = method === "POST" ? readIdempotencyKey(req) : NONE;
  const body = await readBody(route, req);
  const isGone = () => res.destroyed;
  return { method, params: params as Params, query, body, idempotency, headers, exchange: { req, res }, isGone };
}

async function readBody(route: Route, req: Request): Promise<unknown> {
  if (route.readBody) return route.readBody(await readBytes(req, route.mostBodyBytes));
  return route.body && validate(route.body, await readJsonBody(req, route), "the body");
}

/** The pid that a path of the form `…/:module/:key…` names. */
export function pidOf({ module, key }: Params): Pid {
  if (module === undefined || key === undefined || !isPidPart(module) || !isPidPart(key)) {
    throw new ClusterError("invalid_pid", "module and key are 1 to 128 of A-Z a-z 0-9 . _ ~ - each, and not . or ..");
  }
  return toPid(module, key);
}

const NONE = Object.freeze({});
const VISIBLE_ASCII = /^[\x21-\x7e]{1,255}$/;

function readIdempotencyKey(req: IncomingMessage): { idempotencyKey?: string } {
  const idempotencyKey = req.headers["idempotency-key"];
  if (idempotencyKey === undefined) return NONE;
  // A header that came twice arrives joined by a comma and a space, which is not visible ASCII either.
  if (typeof idempotencyKey !== "string" || !VISIBLE_ASCII.test(idempotencyKey)) {
    throw new ClusterError("invalid_request", "Idempotency-Key is 1 to 255 visible ASCII characters, once");
  }
  return { idempotencyKey };
}

function readQuery(route: Route, url: string): unknown {
  const mark = url.indexOf("?");
  if (mark === -1 && !route.query) return undefined;
  const given = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(mark === -1 ? "" : url.slice(mark + 1))) {
    if (given.has(name)) throw new ClusterError("invalid_request", `the query has ${quote(name)} more than once`);
    given.set(name, value);
  }
  if (route.query) return validate(route.query, Object.fromEntries(given), "the query");
  for (const name of given.keys()) throw new ClusterError("invalid_request", `this route takes no ${quote(name)}`);
  return undefined;
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
