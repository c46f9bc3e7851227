/** Which headers go through to a function, and back: all but those that belong to one connection, and our own. */

import type { IncomingMessage } from "node:http";

const HOP_BY_HOP = new Set([
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
export const TOKEN_HEADER = "x-functions-token";
const OURS = /^x-function-/;

/** As Node's client takes them: name, value, name, value … */
export function requestHeaders(req: IncomingMessage): string[] {
  const named = readNamed(req.headers.connection);
  const hasOwnAuthorization = req.headers[TOKEN_HEADER] !== undefined;
  const headers = filterRaw(req, (name) => {
    if (name === TOKEN_HEADER || (name === "authorization" && !hasOwnAuthorization)) return false;
    return !HOP_BY_HOP.has(name) && !named.has(name);
  });
  if (req.headers["transfer-encoding"] !== undefined) headers.push("transfer-encoding", "chunked");
  return headers;
}

export function answerHeaders(answer: IncomingMessage): string[] {
  const named = readNamed(answer.headers.connection);
  return filterRaw(answer, (name) => !HOP_BY_HOP.has(name) && !named.has(name) && !OURS.test(name));
}

function filterRaw({ rawHeaders }: IncomingMessage, keeps: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = "", value = ""] = [rawHeaders[i], rawHeaders[i + 1]];
    if (keeps(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

/** What `Connection` says belongs to the connection too. */
function readNamed(connection: string | undefined): Set<string> {
  if (connection === undefined || connection === "keep-alive") return NONE;
  return new Set(
    connection
      .toLowerCase()
      .split(",")
      .map((name) => name.trim()),
  );
}

const NONE = new Set<string>();
