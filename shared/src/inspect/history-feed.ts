/**
 * Follows processes: a snapshot first, then each commit, then the end. A process's history is kept only while somebody
 * follows it. Who comes back with the id of an entry that is still kept goes on after it; anybody else gets a snapshot.
 *
 * A follower knows the incarnation and the revision that it was told of last. What comes next is the revision after it; where
 * anything else does – commits of which nobody kept the history, a life that began meanwhile – it is told a snapshot anew.
 *
 * All followers of a process here share one look at Redis for each publication that says that there is more; publications
 * can be lost, so there is a look each `RENEW_MS` too, and whenever the subscriber has been away.
 */

import type { Pid } from "../process/pid.ts";
import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import { readStream, type StreamEntry } from "../redis/read-stream.ts";
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
  /** Of the last event that it added to the journal. */
  sequence?: number;
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

/** What a process is, and the newest entry of its history. */
interface Life {
  lastId: string;
  incarnation: string;
  revision: number;
}

interface Follower extends Life {
  onEvent: (event: HistoryEvent) => void;
}

interface Followed {
  pid: Pid;
  followers: Set<Follower>;
  timer: NodeJS.Timeout;
  onPublished: () => void;
  looking: Promise<void> | undefined;
  isStale: boolean;
}

const KEPT_MS = 60_000;
const RENEW_MS = 10_000;
/** Where a process ended while nobody kept its history. */
const UNTOLD = "unknown";

export class HistoryFeed {
  readonly #options: HistoryFeedOptions;
  readonly #followed = new Map<Pid, Followed>();

  constructor(options: HistoryFeedOptions) {
    this.#options = options;
    options.subscriber.onGap(() => {
      for (const followed of this.#followed.values()) void this.#look(followed);
    });
  }

  /** Undefined where there is no process; otherwise what ends the following. After `ended` nothing comes any more. */
  async follow(
    pid: Pid,
    lastEventId: string | undefined,
    onEvent: (event: HistoryEvent) => void,
  ): Promise<(() => void) | undefined> {
    const life = await this.#keep(pid);
    if (!life) return undefined;
    const kept = lastEventId === undefined ? undefined : await this.#findKept(pid, lastEventId, life);
    const follower: Follower = { ...(kept ?? life), onEvent };
    if (!kept && !(await this.#showSnapshot(pid, follower))) return undefined;
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
      timer: setInterval(() => void this.#renew(followed), RENEW_MS),
      onPublished: () => void this.#look(followed),
    };
    this.#followed.set(pid, followed);
    // What was committed before the subscription took effect was published to nobody here.
    void subscriber.subscribe(keys.historyChannel(pid), followed.onPublished).then(() => this.#look(followed));
    return followed;
  }

  #leave(followed: Followed, follower: Follower): void {
    followed.followers.delete(follower);
    if (followed.followers.size > 0 || this.#followed.get(followed.pid) !== followed) return;
    clearInterval(followed.timer);
    this.#followed.delete(followed.pid);
    const { subscriber, keys } = this.#options;
    void subscriber.unsubscribe(keys.historyChannel(followed.pid), followed.onPublished);
  }

  /** Has the history kept from now on. Undefined where there is no process. */
  async #keep(pid: Pid): Promise<Life | undefined> {
    const { link, keys } = this.#options;
    const partition = keys.partitionOf(pid);
    const args = [keys.base(partition), pid, KEPT_MS];
    const [lastId, incarnation, revision] = await link.run<[string, string, string]>(
      "follow",
      [keys.process(partition, pid)],
      args,
    );
    return lastId ? { lastId, incarnation, revision: Number(revision) } : undefined;
  }

  /** Keeps it longer, and makes good what nobody kept meanwhile. Never throws. */
  async #renew(followed: Followed): Promise<void> {
    try {
      const life = await this.#keep(followed.pid);
      await this.#look(followed);
      for (const follower of followed.followers) {
        const isBehind = follower.incarnation !== life?.incarnation || follower.revision < life.revision;
        if (isBehind) await this.#beginAnew(followed, follower);
      }
    } catch {
      // Redis is away.
    }
  }

  /** Where the entry of an id is still kept, and of the life that is there, following goes on after it. */
  async #findKept(pid: Pid, id: string, { incarnation }: Life): Promise<Life | undefined> {
    const { link, keys } = this.#options;
    const key = keys.history(keys.partitionOf(pid), pid);
    const [entry] = await link.call<StreamEntry[]>("xrange", key, id, id);
    const { event, incarnation: of } = entry ? toEvent(...entry) : {};
    if (event?.event !== "commit" || of !== incarnation) return undefined;
    return { lastId: id, incarnation, revision: event.data.revision };
  }

  /** False where there is no process. */
  async #showSnapshot(pid: Pid, follower: Follower): Promise<boolean> {
    for (;;) {
      const life = await this.#keep(pid);
      const process = life && (await this.#options.readProcess(pid));
      if (!process) return false;
      // Read between two looks at one incarnation, it is of that one.
      if ((await this.#keep(pid))?.incarnation !== life.incarnation) continue;
      Object.assign(follower, life, { revision: process.revision });
      follower.onEvent({ event: "snapshot", id: life.lastId, data: process });
      return true;
    }
  }

  async #beginAnew(followed: Followed, follower: Follower): Promise<void> {
    if (await this.#showSnapshot(followed.pid, follower)) return;
    follower.onEvent({ event: "ended", id: follower.lastId, data: { reason: UNTOLD } });
    this.#leave(followed, follower);
  }

  /** One look at a time; what is said meanwhile is looked for after it. Never throws. */
  async #look(followed: Followed): Promise<void> {
    followed.isStale = true;
    followed.looking ??= this.#readWhileStale(followed);
    await followed.looking;
  }

  async #readWhileStale(followed: Followed): Promise<void> {
    try {
      while (followed.isStale) {
        followed.isStale = false;
        for (const follower of followed.followers) await this.#catchUp(followed, follower);
      }
    } catch {
      // Redis is away; there is another look when it is back.
    } finally {
      followed.looking = undefined;
    }
  }

  async #catchUp(followed: Followed, follower: Follower): Promise<void> {
    const { link, keys } = this.#options;
    const key = keys.history(keys.partitionOf(followed.pid), followed.pid);
    for await (const entry of readStream(link, key, follower.lastId)) {
      const { event, incarnation } = toEvent(...entry);
      follower.lastId = event.id;
      // Of a life that the snapshot was after.
      if (Number(incarnation) < Number(follower.incarnation)) continue;
      const isNext = incarnation === follower.incarnation;
      if (event.event === "commit" && isNext && event.data.revision <= follower.revision) continue;
      if (!isNext || (event.event === "commit" && event.data.revision > follower.revision + 1)) {
        await this.#beginAnew(followed, follower);
        followed.isStale = true;
        return;
      }
      if (event.event === "commit") follower.revision = event.data.revision;
      follower.onEvent(event);
      if (event.event === "ended") return this.#leave(followed, follower);
    }
  }
}

type Told = Exclude<HistoryEvent, { event: "snapshot" }>;

function toEvent(id: string, flat: readonly string[]): { event: Told; incarnation: string } {
  const fields = new Map(Array.from({ length: flat.length / 2 }, (_, at) => [flat[at * 2], flat[at * 2 + 1] ?? ""]));
  const incarnation = fields.get("i") ?? "";
  const reason = fields.get("e");
  if (reason !== undefined) return { event: { event: "ended", id, data: { reason } }, incarnation };
  const [stateText, stateBytes] = [fields.get("d") ?? "", Number(fields.get("z"))];
  const data: CommitFacts = {
    revision: Number(fields.get("r")),
    turns: Number(fields.get("t")),
    ...(fields.get("j") && { sequence: Number(fields.get("j")) }),
    messages: JSON.parse(fields.get("m") ?? "[]") as HandledMessage[],
    ...(stateText !== "" && { state: JSON.parse(stateText) as unknown }),
    ...(stateBytes > 0 && { stateBytes }),
  };
  return { event: { event: "commit", id, data }, incarnation };
}
