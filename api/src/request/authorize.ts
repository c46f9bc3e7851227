/** The one token that guards this door when `API_TOKEN` is set. */

import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { ClusterError } from "@genserverless/shared/service/errors.ts";

export type Authorize = (req: IncomingMessage) => void;

const BEARER = /^Bearer +([^ ]+) *$/i;

/** Throws `unauthorized` unless the request carries the token. Digests are compared, so that length tells nothing. */
export function guardWith(token: string | undefined): Authorize {
  if (token === undefined) return () => {};
  const expected = digest(token);
  return (req) => {
    const given = BEARER.exec(req.headers.authorization ?? "")?.[1];
    if (given === undefined) throw new ClusterError("unauthorized", "send Authorization: Bearer <token>");
    if (!timingSafeEqual(digest(given), expected)) throw new ClusterError("unauthorized", "the token is not valid");
  };
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
