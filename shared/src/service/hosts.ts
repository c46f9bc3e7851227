/**
 * Under which names a server may be called. A page of another site can make its own name lead to this machine (DNS
 * rebinding); for the browser that server is then the page's own, and only the `Host` of its requests tells. So a server
 * answers to what no such name can be: an address, `localhost`, a name without a dot – and to the names that it is given.
 */

import { isIPv4, isIPv6 } from "node:net";
import { readText, SettingError } from "./env.ts";

/** Whether a request with this `Host` is for us. One without is: every browser sends it, HAProxy's checks do not. */
export type IsOwnHost = (host: string | undefined) => boolean;

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/;
const NAME = /^[a-z0-9._-]+$/;
const MOST_CHARACTERS = 255;
const MOST_KNOWN = 1_000;

/** `ALLOWED_HOSTS`: names in lower case, without a port. */
export function readAllowedHosts(env: Record<string, string | undefined>): string[] {
  const names = readText(env, "ALLOWED_HOSTS", "").toLowerCase().split(",");
  const given = names.map((name) => name.trim()).filter(Boolean);
  const bad = given.find((name) => !NAME.test(name));
  if (bad === undefined) return given;
  throw new SettingError(`ALLOWED_HOSTS must be names like a.example,b.example, not ${JSON.stringify(bad)}`);
}

/** What it finds is remembered: nearly every request has the same Host as the last. */
export function createHostCheck(allowed: readonly string[] = []): IsOwnHost {
  const names = new Set(allowed);
  const known = new Map<string, boolean>();
  return (host) => {
    if (host === undefined) return true;
    if (host.length > MOST_CHARACTERS) return false;
    const before = known.get(host);
    if (before !== undefined) return before;
    if (known.size >= MOST_KNOWN) known.clear();
    const isOwn = isOwnHost(host, names);
    known.set(host, isOwn);
    return isOwn;
  };
}

function isOwnHost(host: string, names: ReadonlySet<string>): boolean {
  const name = HOST.exec(host.toLowerCase())?.[1];
  if (name === undefined) return false;
  if (name.startsWith("[")) return isIPv6(name.slice(1, -1));
  return !name.includes(".") || isIPv4(name) || names.has(name);
}
