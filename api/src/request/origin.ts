/**
 * A page of another site must not act here through its reader's browser, which sends forms and bodiless requests across sites
 * without asking. Browsers name the page's origin with every request that is no GET or HEAD; other clients send none.
 */

import type { IncomingMessage } from "node:http";
import { ClusterError } from "@genserverless/shared/service/errors.ts";

/** Throws `cross_site` where the request acts and comes from a page of another host or port. */
export function refuseCrossSite({ method, headers: { origin, host } }: IncomingMessage): void {
  if (origin === undefined || method === "GET" || method === "HEAD") return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new ClusterError("cross_site", "only pages of this host itself may send this");
}
