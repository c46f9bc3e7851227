/** Redis's clock, by which everything that is stored is dated. In ms since the epoch, with fractions. */

import type { RedisLink } from "./connection.ts";

export async function readRedisTime(link: RedisLink): Promise<number> {
  const [seconds, micros] = await link.call<[string, string]>("time");
  return Number(seconds) * 1000 + Number(micros) / 1000;
}
