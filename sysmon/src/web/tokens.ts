/** The console's tokens: given by settings, or kept in a file, or made for as long as this process lives. */

import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { readText, SettingError } from "@genserverless/shared/service/env.ts";

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
  const read = readToken(env, "SYSMON_READ_TOKEN");
  const act = given ?? keepToken(readText(env, "SYSMON_TOKEN_FILE", ""));
  if (act === read) throw new SettingError("SYSMON_READ_TOKEN must not be the same as SYSMON_TOKEN");
  return { act, read, isNew: given === undefined };
}

function readToken(env: Environment, name: string): string | undefined {
  const text = readText(env, name, "") || undefined;
  if (text === undefined || /^[\x21-\x7e]{1,512}$/.test(text)) return text;
  throw new SettingError(`${name} must be 1 to 512 visible ASCII characters`);
}

/** What stands in the file; a new one is written where there is none. Without a file it is kept nowhere. */
function keepToken(file: string): string {
  const made = randomBytes(24).toString("hex");
  if (!file) return made;
  try {
    writeFileSync(file, made, { mode: 0o600, flag: "wx" });
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return readKept(file);
    // A folder that is mounted read-only says EROFS for a file that is there.
    return readKept(file, error as Error);
  }
}

function readKept(file: string, cause?: Error): string {
  try {
    const text = readFileSync(file, "utf8").trim();
    if (text) return text;
    throw new Error("it is empty");
  } catch (error) {
    throw new SettingError(`SYSMON_TOKEN_FILE ${file} cannot be used: ${(cause ?? (error as Error)).message}`);
  }
}
