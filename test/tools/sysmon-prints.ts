/** What sysmon prints where it has no terminal: a stamp with what there is to say of Redis, and tables below it. */

export interface Print {
  atMs: number;
  /** E.g. `Redis 7.0.15, 3.4 MiB used, no limit` or `Redis is away: …`. */
  redis: string;
  /** Names, in order. */
  workers: string[];
}

/** The oldest first. */
export function parsePrints(log: string): Print[] {
  return log.split(/^(?=\S+Z {2}Redis )/m).flatMap((block) => {
    const [, at = "", redis = ""] = /^(\S+Z) {2}(Redis .*)$/m.exec(block) ?? [];
    const workers = [...block.matchAll(/worker@\S+/g)].map(([name]) => name).sort();
    return at ? [{ atMs: Date.parse(at), redis, workers }] : [];
  });
}

/** The pauses between prints, in ms; their stamps are whole seconds. */
export function pausesOf(prints: readonly Print[]): number[] {
  return prints.slice(1).map(({ atMs }, index) => atMs - (prints[index]?.atMs ?? 0));
}
