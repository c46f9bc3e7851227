/** The one token that guards this door when `API_TOKEN` is set. */

import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { ClusterError } from "@genserverless/shared/service/errors.ts";

export type Authorize = (req: IncomingMessage) => void;

const BEARER = /^Bearer +([^ ]+) *$/i;

/** Throws `unauthorized` unless the request carries the token. */
export function guardWith(token: string | undefined): Authorize {
  if (token === undefined) return () => {};
  const carriesToken = recognizeToken(token);
  return (req) => {
    if (carriesToken(req)) return;
    const isGiven = readBearer(req) !== undefined;
    throw new ClusterError("unauthorized", isGiven ? "the token is not valid" : "send Authorization: Bearer <token>");
  };
}

/** Whether a request carries the token, where there is one. Digests are compared, so that length tells nothing. */
export function recognizeToken(token: string | undefined): (req: IncomingMessage) => boolean {
  if (token === undefined) return () => false;
  const expected = digest(token);
  return (req) => {
    const given = readBearer(req);
    return given !== undefined && timingSafeEqual(digest(given), expected);
  };
}

function readBearer(req: IncomingMessage): string | undefined {
  return BEARER.exec(req.headers.authorization ?? "")?.[1];
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
