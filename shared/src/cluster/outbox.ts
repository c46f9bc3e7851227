/**
 * Empties outboxes: what a commit wants sent lies in a list beside the record it belongs to, and from there goes to the
 * partitions of its targets, in order, exactly once.
 *
 * The node whose commit filled an outbox empties it at once; should it die, or Redis be away, another's chores find it
 * noted in the partition's `outs`. Any number of nodes may empty one outbox at the same time: each begins at its head, each
 * partition takes a number of a stream once, and only what was delivered is taken out. Within one node at most one round is
 * under way per outbox, which keeps a later entry from overtaking an earlier one whose answer was lost.
 */

import type { Pid } from "../process/pid.ts";
import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import { readRedisTime } from "../redis/time.ts";
import type { Events } from "../service/events.ts";

export interface OutboxOptions {
  link: RedisLink;
  keys: Keys;
  events: Events;
  /** Forgets a state that lies in a store of its own and that no record names any more. */
  wipeState?: (pid: Pid, reference: string) => Promise<void>;
}

interface Round {
  /** More has come since the round began. */
  isStale: boolean;
  done: Promise<void>;
}

const BATCH = 100;
const BATCH_LENGTH = 4 * 1024 * 1024;
/** What is older was not delivered by the node that committed it. */
const LEFT_BEHIND_MS = 1_000;
const TO_GROUPS = new Set(["join", "leave", "publish"]);

/** The stream that belongs to no process but to its partition. */
const OWN = "!";

export class Outboxes {
  readonly #options: OutboxOptions;
  readonly #rounds = new Map<string, Round>();
  readonly #wipes = new Set<Promise<void>>();

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Empties the outbox of a mailbox. Never throws: what is not delivered now is found later. */
  empty(partition: number, name: string): Promise<void> {
    const key = this.#options.keys.outbox(partition, name);
    const running = this.#rounds.get(key);
    if (running) {
      running.isStale = true;
      return running.done;
    }
    const round: Round = { isStale: false, done: Promise.resolve() };
    this.#rounds.set(key, round);
    round.done = this.#run(round, partition, name, key);
    return round.done;
  }

  /** Waits for the rounds under way, and for the stores that they have told. */
  async settle(): Promise<void> {
    await Promise.all([...this.#rounds.values()].map(({ done }) => done));
    await Promise.all(this.#wipes);
  }

  async #run(round: Round, partition: number, name: string, key: string): Promise<void> {
    try {
      do {
        round.isStale = false;
        while (await this.#deliverBatch(partition, name, key));
      } while (round.isStale);
    } catch (error) {
      this.#options.events.emit("debug", "outbox.waits", { partition, name, error: String(error) });
    } finally {
      this.#rounds.delete(key);
    }
  }

  /** Empties what has been left behind in a partition. */
  async emptyLeftBehind(partition: number): Promise<void> {
    const { link, keys } = this.#options;
    const before = Math.floor(await readRedisTime(link)) - LEFT_BEHIND_MS;
    const names = await link.call<string[]>("zrangebyscore", keys.outboxes(partition), 0, before, "LIMIT", 0, BATCH);
    await Promise.all(names.map((name) => this.empty(partition, name)));
  }

  /** Delivers the oldest entries; says whether there may be more. */
  async #deliverBatch(partition: number, name: string, key: string): Promise<boolean> {
    const { link, keys } = this.#options;
    const entries = takeSome(await link.call<string[]>("lrange", key, 0, BATCH - 1));
    const byTarget = Map.groupBy(entries, (entry) => this.#partitionOf(entry));
    await Promise.all([...byTarget].map(([target, some]) => this.#deliver({ partition, name, target, entries: some })));
    const last = entries.at(-1);
    const number = last ? last.slice(0, last.indexOf("\n")) : 0;
    return (await link.run<number>("sent", [key], [keys.base(partition), name, number])) > 0;
  }

  async #deliver({ partition, name, target, entries }: Delivery): Promise<void> {
    const { link, keys, events } = this.#options;
    const stream = name === OWN ? `${OWN}${partition}` : name;
    const sender = name === OWN ? "" : name.slice(0, name.lastIndexOf("@"));
    const [dropped, filled, wiped] = await link.run<[string[], string[], string[]]>(
      "deliver",
      [keys.stream(target, stream)],
      [keys.base(target), stream, sender, partition, ...entries],
    );
    for (let at = 0; at < dropped.length; at += 3) {
      events.emit("info", "message.undeliverable", {
        pid: dropped[at],
        messageId: dropped[at + 1],
        reason: dropped[at + 2],
        sender,
      });
    }
    for (const other of filled) void this.empty(target, other);
    for (let at = 0; at < wiped.length; at += 2) this.#wipe(wiped[at] as Pid, wiped[at + 1] ?? "");
  }

  /** No round waits for a store; one that is away keeps the state until the next life of the pid writes to it. */
  #wipe(pid: Pid, reference: string): void {
    const { wipeState, events } = this.#options;
    if (!wipeState) return;
    const wipe = wipeState(pid, reference)
      .catch((error) => events.emit("warn", "state.unwiped", { pid, reference, error: String(error) }))
      .finally(() => this.#wipes.delete(wipe));
    this.#wipes.add(wipe);
  }

  #partitionOf(entry: string): number {
    const [, kind = "", target = ""] = entry.split("\n", 3);
    return TO_GROUPS.has(kind)
      ? this.#options.keys.groupPartition(target)
      : this.#options.keys.partitionOf(target as Pid);
  }
}

/** As many as one script should take at once, at least one. */
function takeSome(entries: readonly string[]): string[] {
  let length = 0;
  return entries.filter((entry, index) => {
    length += entry.length;
    return index === 0 || length <= BATCH_LENGTH;
  });
}

interface Delivery {
  partition: number;
  name: string;
  target: number;
  entries: string[];
}
