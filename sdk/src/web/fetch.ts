/** Modules in any web app whose handlers take a Request and give a Response: `const handle = createHandler({ modules, secret })`. */

import { MOST_BODY_BYTES, WebHost, type WebHostOptions } from "./web-host.ts";

/** The handler of the endpoint; routing to it, for any method, is the app's. */
export function createHandler(options: WebHostOptions): (request: Request) => Promise<Response> {
  const host = new WebHost(options);
  return async (request) => {
    const { pathname, search } = new URL(request.url);
    const answer = await host.handle({
      method: request.method,
      target: pathname + search,
      header: (name) => request.headers.get(name) ?? undefined,
      body: await readBody(request),
    });
    return new Response(answer.body, {
      status: answer.status,
      headers: { ...answer.headers, "cache-control": "no-store" },
    });
  };
}

/** The first bytes beyond what is taken too, and no more. */
async function readBody({ body }: Request): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MOST_BODY_BYTES) break;
  }
  return Buffer.concat(chunks);
}
