/**
 * STATE_STORES names the stores of a node: `cold=postgres://user:password@host:5432/database?table=states;archive=…`. No
 * error of this file repeats what was given beyond a store's name, a parameter's name or its value: a URL has a password.
 */

import { accessSync, constants, readFileSync } from "node:fs";
import { readText, SettingError } from "../service/env.ts";
import { IN_RECORD } from "./reference.ts";

export interface PostgresSettings {
  name: string;
  host: string;
  port: number;
  database: string;
  user: string;
  password: string;
  /** Read anew for each connection; in place of `password`. */
  passwordFile: string;
  /** With or without a schema. */
  table: string;
  /** The most connections of one node. */
  pool: number;
  /** How long to wait for a connection, and again for an answer. */
  timeoutMs: number;
  /** How long a state that nobody needs is kept between two looks: longer than what Redis can lose in a crash. */
  keepMs: number;
  tls: false | { rejectUnauthorized: boolean; ca?: string };
}

const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;
const TABLE = /^([a-z_][a-z0-9_]{0,62}\.)?[a-z_][a-z0-9_]{0,50}$/;
const TLS = ["disable", "no-verify", "verify-full"];
const PARAMETERS = ["table", "pool", "timeoutMs", "keepMs", "passwordFile", "sslmode", "sslrootcert"];

export function readStoreSettings(env: Record<string, string | undefined>): PostgresSettings[] {
  const stores: PostgresSettings[] = [];
  for (const entry of readText(env, "STATE_STORES", "").split(";")) {
    if (entry.trim() === "") continue;
    const [, name = "", url = ""] = /^\s*([^=:/]*)=(.*)$/s.exec(entry) ?? [];
    if (!NAME.test(name)) {
      throw wrong(
        "must be <name>=<url>;<name>=<url> …, each name 1 to 128 of A-Z a-z 0-9 . _ ~ - (a ; in a URL is %3B)",
      );
    }
    if (name === IN_RECORD) throw wrong(`cannot name a store "${IN_RECORD}": that is the record itself`);
    if (stores.some((store) => store.name === name)) throw wrong(`names the store "${name}" twice`);
    stores.push(readPostgres(name, url.trim()));
  }
  return stores;
}

function readPostgres(name: string, text: string): PostgresSettings {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw wrong(`gives the store "${name}" no URL of the form postgres://user:password@host:port/database`);
  }
  const database = decode(name, url.pathname.slice(1));
  const user = decode(name, url.username);
  const host = decode(name, url.hostname).replace(/^\[|\]$/g, "");
  for (const [part, value] of Object.entries({ host, user, database })) {
    if (value === "") throw wrong(`gives the store "${name}" a URL without a ${part}`);
  }
  const parameters = readParameters(name, url.searchParams);
  return {
    name,
    host,
    port: Number(url.port || 5432),
    database,
    user,
    password: decode(name, url.password),
    ...parameters,
  };
}

function readParameters(name: string, given: URLSearchParams) {
  for (const key of given.keys()) {
    if (PARAMETERS.includes(key) && given.getAll(key).length === 1) continue;
    throw wrong(`gives the store "${name}" the parameter "${key}"; each of ${PARAMETERS.join(", ")} may be given once`);
  }
  const read = (key: string, fallback: string, isRight: (value: string) => boolean, what: string) => {
    const value = given.get(key) ?? fallback;
    if (isRight(value)) return value;
    throw wrong(`gives the store "${name}" the ${key} ${JSON.stringify(value)}; it must be ${what}`);
  };
  const readNumber = (key: string, fallback: number, least: number, most: number) => {
    const isRight = (value: string) => /^\d+$/.test(value) && Number(value) >= least && Number(value) <= most;
    return Number(read(key, String(fallback), isRight, `a whole number from ${least} to ${most}`));
  };
  const readFile = (key: string) => read(key, "", (file) => file === "" || isReadable(file), "a file that can be read");
  const mode = read("sslmode", "disable", (value) => TLS.includes(value), TLS.join(" or "));
  const rootFile = readFile("sslrootcert");
  const tls = { rejectUnauthorized: mode === "verify-full", ...(rootFile && { ca: readFileSync(rootFile, "utf8") }) };
  return {
    table: read("table", "genserverless_states", (value) => TABLE.test(value), "a name or schema.name of a-z 0-9 _"),
    pool: readNumber("pool", 8, 1, 1_000),
    timeoutMs: readNumber("timeoutMs", 5_000, 100, 60_000),
    keepMs: readNumber("keepMs", 15_000, 0, 30 * 24 * 60 * 60 * 1000),
    passwordFile: readFile("passwordFile"),
    tls: mode === "disable" ? (false as const) : tls,
  };
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function decode(name: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(`gives the store "${name}" a URL that is wrongly encoded: a % in it is %25`);
  }
}

function wrong(what: string): SettingError {
  return new SettingError(`STATE_STORES ${what}`);
}
