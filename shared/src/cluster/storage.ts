/**
 * Whether Redis has room. New messages are refused at `FULL_SHARE` of its memory, while turns may still run: what is
 * accepted must be able to drain. A Redis without a limit is never full here.
 */

import type { RedisLink } from "../redis/connection.ts";
import type { Part } from "../service/lifecycle.ts";

const FULL_SHARE = 0.8;
const LOOK_MS = 500;

export class StorageWatch implements Part {
  readonly #link: RedisLink;
  #timer: NodeJS.Timeout | undefined;
  #isFull = false;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  async start(): Promise<void> {
    await this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      const { usedBytes, mostBytes } = await readMemory(this.#link);
      this.#isFull = mostBytes > 0 && usedBytes >= mostBytes * FULL_SHARE;
    } catch {
      // Redis is away; what is sent to it will say so.
    }
  }
}

/** Redis's memory in bytes; `mostBytes` is 0 where there is no limit. */
export async function readMemory(link: RedisLink): Promise<{ usedBytes: number; mostBytes: number }> {
  const memory = await link.call<string>("info", "memory");
  return {
    usedBytes: Number(/^used_memory:(\d+)/m.exec(memory)?.[1] ?? 0),
    mostBytes: Number(/^maxmemory:(\d+)/m.exec(memory)?.[1] ?? 0),
  };
}
