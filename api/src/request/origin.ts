/**
 * A page of another site must not act here through its reader's browser, which sends forms and bodiless requests across sites
 * without asking. Browsers name the page's origin with every request that is no GET or HEAD; other clients send none. Where
 * the page's own name leads here, its origin is no other site's, but the Host is none of ours.
 */

import type { IncomingMessage } from "node:http";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { IsOwnHost } from "@genserverless/shared/service/hosts.ts";

/** Throws `unknown_host` where the request was sent to a name that is not this server's. */
export function refuseUnknownHost({ headers: { host } }: IncomingMessage, isOwnHost: IsOwnHost): void {
  if (!isOwnHost(host)) throw new ClusterError("unknown_host", "a name with a dot must be listed in ALLOWED_HOSTS");
}

/** Throws `cross_site` where the request acts and comes from a page of another host or port. */
export function refuseCrossSite({ method, headers: { origin, host } }: IncomingMessage): void {
  if (origin === undefined || method === "GET" || method === "HEAD") return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new ClusterError("cross_site", "only pages of this host itself may send this");
}
