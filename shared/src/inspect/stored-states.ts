/** Walks over the stored states of a module, a batch at a time. */

import type { Pid } from "../process/pid.ts";
import type { JournalMark } from "../process/stored-state.ts";
import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";

export interface StoredState {
  pid: Pid;
  /** Of the module, when the state was stored. */
  version: number;
  /** JSON text, a reference to a state store, or a snapshot. */
  stateText: string;
  mark: JournalMark;
}

const BATCH = 200;

/** A process that lives throughout is met exactly once. */
export async function* walkStoredStates(link: RedisLink, keys: Keys, module: string): AsyncGenerator<StoredState> {
  for (let partition = 0; partition < keys.partitions; partition++) {
    for (let after = `[${module}/`; ; ) {
      // "0" follows "/", and no pid part holds a "/".
      const range = [after, `(${module}0`, "LIMIT", 0, BATCH] as const;
      const pids = await link.call<Pid[]>("zrangebylex", keys.index(partition), ...range);
      const records = await Promise.all(
        pids.map((pid) => link.call<(string | null)[]>("hmget", keys.process(partition, pid), "v", "d", "J", "i")),
      );
      for (const [index, [version, stateText, last, incarnation]] of records.entries()) {
        if (!version || !stateText) continue;
        const mark = { last: Number(last ?? 0), incarnation: incarnation ?? "", version: Number(version) };
        yield { pid: pids[index] as Pid, version: mark.version, stateText, mark };
      }
      if (pids.length < BATCH) break;
      after = `(${pids.at(-1)}`;
    }
  }
}
