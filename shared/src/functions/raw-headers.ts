/** Headers as they came, name, value, name, value …, on their way through. */

/** They belong to one connection, and go no further. */
const OF_ONE_CONNECTION = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

/** Those that go further and that `keeps` wants, which is given their names in lower case. */
export function filterHeaders(raw: readonly string[], keeps: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const [name = "", value = ""] = [raw[i], raw[i + 1]];
    const lower = name.toLowerCase();
    if (!OF_ONE_CONNECTION.has(lower) && keeps(lower)) kept.push(name, value);
  }
  return kept;
}

/** What `Connection` says belongs to the connection too. */
export function readNamed(connection: string | undefined): Set<string> {
  if (connection === undefined || connection === "keep-alive") return new Set();
  return new Set(connection.toLowerCase().split(/\s*,\s*/));
}

/** As undici gives them. */
export function readRawHeaders(raw: unknown): string[] {
  return (raw as Buffer[]).map((part) => part.toString("latin1"));
}
