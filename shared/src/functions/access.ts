/** Where the functions service is, and what it has to be told. */

import { readFileSync } from "node:fs";
import { readText, readToken, SettingError } from "../service/env.ts";

export interface FunctionsAccess {
  url: URL;
  token: string;
}

/** What the token is sent in, so that Authorization is the function's own. */
export const TOKEN_HEADER = "x-functions-token";

/** Undefined where this cluster has no functions: `FUNCTIONS_URL` is not set. */
export function readFunctionsAccess(env: Record<string, string | undefined>): FunctionsAccess | undefined {
  const text = readText(env, "FUNCTIONS_URL", "");
  if (text === "") return undefined;
  if (!URL.canParse(text) || !/^https?:\/\/[^/?#@]+\/?$/.test(text)) {
    throw new SettingError("FUNCTIONS_URL must be http://host:port, where the functions service listens");
  }
  const token = readFunctionsToken(env);
  if (token === undefined) throw new SettingError("FUNCTIONS_URL needs FUNCTIONS_TOKEN, or FUNCTIONS_TOKEN_FILE");
  return { url: new URL(text), token };
}

/** What callers of the functions service must know, given as it is or in a file. */
export function readFunctionsToken(env: Record<string, string | undefined>): string | undefined {
  const file = readText(env, "FUNCTIONS_TOKEN_FILE", "");
  const given = readToken(env, "FUNCTIONS_TOKEN");
  if (given !== undefined || file === "") return given;
  try {
    return readToken({ FUNCTIONS_TOKEN_FILE: readFileSync(file, "utf8") }, "FUNCTIONS_TOKEN_FILE");
  } catch (error) {
    if (error instanceof SettingError) throw error;
    throw new SettingError(`FUNCTIONS_TOKEN_FILE cannot be read: ${(error as Error).message}`);
  }
}
