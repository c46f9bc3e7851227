/**
 * Follows processes: a snapshot first, then each commit, then the end. A process's history is kept only while somebody
 * follows it. Who comes back with the id of an entry that is still kept goes on after it; anybody else gets a snapshot.
 *
 * All followers of a process here share one look at Redis for each publication that says that there is more; publications
 * can be lost, so there is a look each `RENEW_MS` too.
 */

import type { Pid } from "../process/pid.ts";
import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import type { Subscriber } from "../redis/subscriber.ts";
import type { ProcessView } from "./views.ts";

/** A message of a commit: what became of it. */
export interface HandledMessage {
  messageId: string;
  kind: string;
  verdict: "done" | "dead" | "deferred";
  status?: string;
}

export type HistoryEvent =
  | { event: "snapshot"; id: string; data: ProcessView }
  | { event: "commit"; id: string; data: CommitFacts }
  | { event: "ended"; id: string; data: { reason: string } };

export interface CommitFacts {
  revision: number;
  /** Since the process was started. */
  turns: number;
  messages: HandledMessage[];
  /** Where it was stored with this commit and is not too large. */
  state?: unknown;
  /** In bytes, of its JSON text. */
  stateBytes?: number;
}

export interface HistoryFeedOptions {
  link: RedisLink;
  keys: Keys;
  subscriber: Subscriber;
  readProcess: (pid: Pid) => Promise<ProcessView | undefined>;
}

type RawEntry = [id: string, fields: string[]];

interface Follower {
  onEvent: (event: HistoryEvent) => void;
  lastId: string;
  /** What a snapshot has told already. */
  fromRevision: number;
}

interface Followed {
  pid: Pid;
  followers: Set<Follower>;
  timer: NodeJS.Timeout;
  looking: Promise<void> | undefined;
  isStale: boolean;
}

const KEPT_MS = 60_000;
const RENEW_MS = 10_000;
const PAGE = 100;

export class HistoryFeed {
  readonly #options: HistoryFeedOptions;
  readonly #followed = new Map<Pid, Followed>();

  constructor(options: HistoryFeedOptions) {
    this.#options = options;
  }

  /** Undefined where there is no process; otherwise what ends the following. After `ended` nothing comes any more. */
  async follow(
    pid: Pid,
    lastEventId: string | undefined,
    onEvent: (event: HistoryEvent) => void,
  ): Promise<(() => void) | undefined> {
    const newest = await this.#renew(pid);
    if (newest === "") return undefined;
    const follower: Follower = { onEvent, lastId: newest, fromRevision: 0 };
    if (lastEventId !== undefined && (await this.#isKept(pid, lastEventId))) {
      follower.lastId = lastEventId;
    } else {
      const process = await this.#options.readProcess(pid);
      if (!process) return undefined;
      follower.fromRevision = process.revision;
      onEvent({ event: "snapshot", id: newest, data: process });
    }
    const followed = this.#followed.get(pid) ?? this.#begin(pid);
    followed.followers.add(follower);
    void this.#look(followed);
    return () => this.#leave(followed, follower);
  }

  #begin(pid: Pid): Followed {
    const { subscriber, keys } = this.#options;
    const followed: Followed = {
      pid,
      followers: new Set(),
      looking: undefined,
      isStale: false,
      timer: setInterval(() => {
        this.#renew(pid).catch(() => {});
        void this.#look(followed);
      }, RENEW_MS),
    };
    this.#followed.set(pid, followed);
    void subscriber.subscribe(keys.historyChannel(pid), () => void this.#look(followed));
    return followed;
  }

  #leave(followed: Followed, follower: Follower): void {
    followed.followers.delete(follower);
    if (followed.followers.size > 0 || this.#followed.get(followed.pid) !== followed) return;
    clearInterval(followed.timer);
    this.#followed.delete(followed.pid);
    const { subscriber, keys } = this.#options;
    void subscriber.unsubscribe(keys.historyChannel(followed.pid));
  }

  /** Returns the id of the newest entry, "" where there is no process. */
  #renew(pid: Pid): Promise<string> {
    const { link, keys } = this.#options;
    const partition = keys.partitionOf(pid);
    return link.run<string>("follow", [keys.process(partition, pid)], [keys.base(partition), pid, KEPT_MS]);
  }

  async #isKept(pid: Pid, id: string): Promise<boolean> {
    const { link, keys } = this.#options;
    const key = keys.history(keys.partitionOf(pid), pid);
    return (await link.call<RawEntry[]>("xrange", key, id, id)).length > 0;
  }

  /** One look at a time; what is said meanwhile is looked for after it. Never throws. */
  async #look(followed: Followed): Promise<void> {
    followed.isStale = true;
    followed.looking ??= this.#read(followed)
      .catch(() => {})
      .finally(() => {
        followed.looking = undefined;
      });
    await followed.looking;
  }

  async #read(followed: Followed): Promise<void> {
    while (followed.isStale) {
      followed.isStale = false;
      for (const follower of followed.followers) await this.#catchUp(followed, follower);
    }
  }

  async #catchUp(followed: Followed, follower: Follower): Promise<void> {
    const { link, keys } = this.#options;
    const key = keys.history(keys.partitionOf(followed.pid), followed.pid);
    for (;;) {
      const entries = await link.call<RawEntry[]>("xrange", key, `(${follower.lastId}`, "+", "COUNT", PAGE);
      for (const [id, fields] of entries) {
        follower.lastId = id;
        const event = toEvent(id, fields);
        if (event.event === "commit" && event.data.revision <= follower.fromRevision) continue;
        follower.onEvent(event);
        if (event.event === "ended") return this.#leave(followed, follower);
      }
      if (entries.length < PAGE) return;
    }
  }
}

function toEvent(id: string, flat: readonly string[]): HistoryEvent {
  const fields = new Map(Array.from({ length: flat.length / 2 }, (_, at) => [flat[at * 2], flat[at * 2 + 1] ?? ""]));
  const reason = fields.get("e");
  if (reason !== undefined) return { event: "ended", id, data: { reason } };
  const [stateText, stateBytes] = [fields.get("d") ?? "", Number(fields.get("z"))];
  const data: CommitFacts = {
    revision: Number(fields.get("r")),
    turns: Number(fields.get("t")),
    messages: JSON.parse(fields.get("m") ?? "[]") as HandledMessage[],
    ...(stateText !== "" && { state: JSON.parse(stateText) as unknown }),
    ...(stateBytes > 0 && { stateBytes }),
  };
  return { event: "commit", id, data };
}
