/** Reads a Redis stream page by page. */

import type { RedisLink } from "./connection.ts";

/** Its id, and its fields: name, value, name, value … */
export type StreamEntry = [id: string, fields: string[]];

const PAGE = 100;

/** All that lies behind an id, up to what is there when the last page is read. */
export async function* readStream(link: RedisLink, key: string, afterId: string): AsyncGenerator<StreamEntry> {
  for (let after = afterId; ; ) {
    const entries = await link.call<StreamEntry[]>("xrange", key, `(${after}`, "+", "COUNT", PAGE);
    yield* entries;
    const last = entries.at(-1);
    if (!last || entries.length < PAGE) return;
    after = last[0];
  }
}
