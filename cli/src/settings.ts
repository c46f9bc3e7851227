/** Where the cluster is and who asks: flags before environment before default. */

import type { Readable, Writable } from "node:stream";
import { parseDuration } from "./duration.ts";
import { WrongUsage } from "./failure.ts";

/** What a run touches of its operating-system process. */
export interface Io {
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean; columns?: number; rows?: number };
  stderr: Writable & { isTTY?: boolean };
  env: Record<string, string | undefined>;
}

export interface Flags {
  url?: string;
  token?: string;
  timeout?: string;
  json?: boolean;
}

export interface Settings {
  url: string;
  token: string | undefined;
  /** How long an answer may take. */
  timeoutMs: number | undefined;
}

/** Throws WrongUsage, naming the flag or the variable. */
export function readSettings(flags: Flags, env: Record<string, string | undefined>): Settings {
  return { url: readUrl(flags, env), token: readToken(flags, env), timeoutMs: readTimeout(flags) };
}

function readUrl(flags: Flags, env: Record<string, string | undefined>): string {
  if (flags.url !== undefined) return checkUrl("--url", flags.url);
  if (env["GENSERVERLESS_URL"]) return checkUrl("GENSERVERLESS_URL", env["GENSERVERLESS_URL"]);
  return checkUrl("LB_PORT", `http://127.0.0.1:${env["LB_PORT"] || "8080"}`);
}

function checkUrl(name: string, text: string): string {
  const isHttp = URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
  if (isHttp) return text.replace(/\/$/, "");
  throw new WrongUsage(`${name} must give a URL like http://127.0.0.1:8080, not ${JSON.stringify(text)}`);
}

/** As it goes into a header. */
function readToken(flags: Flags, env: Record<string, string | undefined>): string | undefined {
  const [name, token] = flags.token === undefined ? ["API_TOKEN", env["API_TOKEN"]] : ["--token", flags.token];
  if (!token) return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new WrongUsage(`${name} must be visible ASCII characters without spaces`);
}

function readTimeout({ timeout }: Flags): number | undefined {
  return timeout === undefined ? undefined : parseDuration(timeout);
}
