/**
 * Follows journals: each event from a sequence on, in order, those that are there and those to come. Where the next event is
 * neither there nor to come – its process is gone, the journal was cut behind the reader, or is another one – it ends and says why.
 *
 * A follower reads the journal itself and keeps nothing but its place, so it goes on anywhere from the sequence that it was told
 * last. That event is read again with those after it: another one in its place is another journal. It is woken by the publication
 * that a commit of a followed process makes (lib/history.lua); publications can be lost, so it looks each `RENEW_MS` too, and
 * whenever the subscriber has been away.
 */

import { JournalBroken, type JournalEntry } from "@genserverless/shared/cluster/journal.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { RedisLink } from "@genserverless/shared/redis/connection.ts";
import type { Keys } from "@genserverless/shared/redis/keys.ts";
import type { Subscriber } from "@genserverless/shared/redis/subscriber.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { JournalCut, type JournalEvent, type JournalReader, toEvent } from "./journal-reader.ts";

export interface JournalFollower {
  onEvent(event: JournalEvent): void;
  /** `gone`, `cut`, `replaced`, or which event is broken; nothing comes after it. */
  onEnd(reason: string): void;
  /** Awaited after each page. */
  drained(): Promise<void>;
}

export interface JournalFeedOptions {
  link: RedisLink;
  keys: Keys;
  subscriber: Subscriber;
  reader: JournalReader;
}

const KEPT_MS = 60_000;
const RENEW_MS = 10_000;
const PAGE = 200;

export class JournalFeed {
  readonly #options: JournalFeedOptions;
  readonly #following = new Set<Following>();

  constructor(options: JournalFeedOptions) {
    this.#options = options;
    options.subscriber.onGap(() => {
      for (const following of this.#following) following.wake();
    });
  }

  /**
   * Tells what comes after a sequence, from the first that is kept unless given, until what it resolves to is called. Rejects as
   * reading does, and with `invalid_request` where the journal does not go so far.
   */
  async follow(pid: Pid, after: number | undefined, follower: JournalFollower): Promise<() => void> {
    const { first, last } = await this.#options.reader.readHead(pid);
    const from = after ?? first - 1;
    if (from < first - 1) throw new JournalCut(pid, first);
    if (from > last) throw new ClusterError("invalid_request", `the journal of ${pid} goes to event ${last}`);
    const following = new Following(this.#options, pid, from, follower, () => this.#following.delete(following));
    this.#following.add(following);
    following.begin();
    return () => following.end();
  }
}

class Following {
  readonly #options: JournalFeedOptions;
  readonly #pid: Pid;
  readonly #follower: JournalFollower;
  readonly #onOver: () => void;
  readonly #channel: string;
  /** The sequence, and the event, that was told last. */
  #sequence: number;
  #told: JournalEntry | undefined;
  #timer: NodeJS.Timeout | undefined;
  #woken = Promise.withResolvers<void>();
  #isOver = false;

  constructor(options: JournalFeedOptions, pid: Pid, sequence: number, follower: JournalFollower, onOver: () => void) {
    this.#options = options;
    this.#pid = pid;
    this.#sequence = sequence;
    this.#follower = follower;
    this.#onOver = onOver;
    this.#channel = options.keys.historyChannel(pid);
  }

  begin(): void {
    this.#timer = setInterval(this.wake, RENEW_MS);
    // What was committed before the subscription took effect was published to nobody here.
    void this.#options.subscriber.subscribe(this.#channel, this.wake).then(this.wake);
    void this.#run();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    void this.#options.subscriber.unsubscribe(this.#channel, this.wake);
    this.#onOver();
    this.wake();
  }

  wake = (): void => this.#woken.resolve();

  async #run(): Promise<void> {
    for (let keptAt = -Infinity; !this.#isOver; await this.#woken.promise) {
      this.#woken = Promise.withResolvers();
      try {
        if (performance.now() - keptAt >= RENEW_MS / 2) {
          // Before the look: from here on each commit says that there is more.
          await this.#keep();
          keptAt = performance.now();
        }
        const reason = await this.#catchUp();
        if (reason !== undefined) this.#finish(reason);
      } catch (error) {
        if (error instanceof JournalBroken) this.#finish(error.message);
        // Otherwise Redis is away.
        else void this.#options.link.untilUp().then(this.wake);
      }
    }
  }

  #finish(reason: string): void {
    if (this.#isOver) return;
    this.#follower.onEnd(reason);
    this.end();
  }

  /** Has each commit published, for a while. */
  async #keep(): Promise<void> {
    const { link, keys } = this.#options;
    const partition = keys.partitionOf(this.#pid);
    await link.run("follow", [keys.process(partition, this.#pid)], [keys.base(partition), this.#pid, KEPT_MS]);
  }

  /** Tells all that is there. Returns why nothing comes any more, if that is so. */
  async #catchUp(): Promise<string | undefined> {
    const { reader } = this.#options;
    const last = await reader.readLast(this.#pid);
    if (last === undefined) return "gone";
    if (last < this.#sequence) return "replaced";
    while (this.#sequence < last && !this.#isOver) {
      const entries = await this.#readNext(last);
      if (typeof entries === "string") return entries;
      for (const entry of entries) {
        this.#follower.onEvent(toEvent(this.#pid, entry));
        this.#sequence = entry.sequence;
        this.#told = entry;
      }
      await this.#follower.drained();
    }
    return undefined;
  }

  /** The next page; or why there is none. */
  async #readNext(last: number): Promise<JournalEntry[] | string> {
    const { reader } = this.#options;
    const told = this.#told;
    const from = told ? this.#sequence : this.#sequence + 1;
    try {
      const entries = await reader.journals.read(this.#pid, from, Math.min(PAGE, last - from + 1));
      const before = told && entries.shift();
      if (told && (before?.messageId !== told.messageId || before.at !== told.at)) return "replaced";
      return entries.length > 0 ? entries : `event ${this.#sequence + 1} of ${this.#pid} is missing`;
    } catch (error) {
      if (!(error instanceof JournalBroken)) throw error;
      const head = await reader.journals.readHead(this.#pid);
      if (!head) return "gone";
      if (head.last < this.#sequence) return "replaced";
      if (head.first <= from) throw error;
      if (head.first > this.#sequence + 1) return "cut";
      // Just the event that was told last was cut.
      this.#told = undefined;
      return await this.#readNext(last);
    }
  }
}
