/** Which headers go through to a function, and back: all but those that belong to one connection, and our own. */

import type { IncomingMessage } from "node:http";
import { TOKEN_HEADER } from "@genserverless/shared/functions/access.ts";
import { filterHeaders, readNamed } from "@genserverless/shared/functions/raw-headers.ts";

const OURS = /^x-function-/;

/** As Node's client takes them: name, value, name, value … */
export function requestHeaders(req: IncomingMessage): string[] {
  const named = readNamed(req.headers.connection);
  const hasOwnAuthorization = req.headers[TOKEN_HEADER] !== undefined;
  const headers = filterHeaders(req.rawHeaders, (name) => {
    if (name === TOKEN_HEADER || (name === "authorization" && !hasOwnAuthorization)) return false;
    return !named.has(name);
  });
  if (req.headers["transfer-encoding"] !== undefined) headers.push("transfer-encoding", "chunked");
  return headers;
}

export function answerHeaders(answer: IncomingMessage): string[] {
  const named = readNamed(answer.headers.connection);
  return filterHeaders(answer.rawHeaders, (name) => !named.has(name) && !OURS.test(name));
}
