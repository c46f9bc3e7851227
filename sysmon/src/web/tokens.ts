/** The console's tokens: given by settings, or kept in a file, or made for as long as this process lives. */

import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { readText, readToken, SettingError } from "@genserverless/shared/service/env.ts";

export interface Tokens {
  /** Reads and acts. */
  act: string;
  /** Reads only. */
  read: string | undefined;
  /** Whether nobody has been told `act` yet. */
  isNew: boolean;
}

type Environment = Record<string, string | undefined>;

export function readTokens(env: Environment): Tokens {
  const given = readToken(env, "SYSMON_TOKEN");
  const act = given ?? keepToken("SYSMON_TOKEN_FILE", readText(env, "SYSMON_TOKEN_FILE", "")) ?? makeToken();
  const read =
    readToken(env, "SYSMON_READ_TOKEN") ??
    keepToken("SYSMON_READ_TOKEN_FILE", readText(env, "SYSMON_READ_TOKEN_FILE", ""));
  if (act === read) throw new SettingError("SYSMON_READ_TOKEN must not be the same as SYSMON_TOKEN");
  return { act, read, isNew: given === undefined };
}

function makeToken(): string {
  return randomBytes(24).toString("hex");
}

/** What stands in the file; a new one is written where there is none. Undefined where no file is given. */
function keepToken(setting: string, file: string): string | undefined {
  if (!file) return undefined;
  const made = makeToken();
  try {
    writeFileSync(file, made, { mode: 0o600, flag: "wx" });
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return readKept(setting, file);
    // A folder that is mounted read-only says EROFS for a file that is there.
    return readKept(setting, file, error as Error);
  }
}

function readKept(setting: string, file: string, cause?: Error): string {
  try {
    const text = readFileSync(file, "utf8").trim();
    if (text) return text;
    throw new Error("it is empty");
  } catch (error) {
    throw new SettingError(`${setting} ${file} cannot be used: ${(cause ?? (error as Error)).message}`);
  }
}
