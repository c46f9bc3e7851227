/** Settings come from the environment. A bad value is an error that names the variable and what would be right. */

export class SettingError extends Error {
  override name = "SettingError";
}

type Environment = Record<string, string | undefined>;

export function readText(env: Environment, name: string, fallback: string): string {
  const text = env[name]?.trim();
  return text ? text : fallback;
}

/** A secret that somebody made up: undefined where none is given. */
export function readToken(env: Environment, name: string): string | undefined {
  const text = readText(env, name, "");
  if (text === "" || /^[\x21-\x7e]{16,512}$/.test(text)) return text || undefined;
  throw new SettingError(`${name} must be 16 to 512 visible ASCII characters`);
}

export function readInteger(env: Environment, name: string, fallback: number, least: number, most: number): number {
  const text = env[name]?.trim();
  if (!text) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new SettingError(`${name} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
  }
  return value;
}

/** `host:port`; an IPv6 address stands in brackets. */
export function readAddress(env: Environment, name: string, fallback: string): string {
  const text = readText(env, name, fallback);
  const port = Number(/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(text)?.[1]);
  if (port >= 1 && port <= 65_535) return text;
  throw new SettingError(`${name} must be host:port, not ${JSON.stringify(text)}`);
}
