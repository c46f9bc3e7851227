/** What a test sees of the processes in a kit: everything, without a turn, and always a copy. */

import type { Pid } from "../contract.ts";
import type { KitEvent, LogLine } from "./journal.ts";
import type { DeadLetter, KitCluster } from "./kit-cluster.ts";
import type { KitProcess } from "./kit-process.ts";
import type { Post } from "./post.ts";
import { type MailView, type SentView, type TimerView, viewMail, viewSent, viewTimers } from "./views.ts";

export class KitView {
  readonly #cluster: KitCluster;
  readonly #post: Post;

  constructor(cluster: KitCluster, post: Post) {
    this.#cluster = cluster;
    this.#post = post;
  }

  /** Ms since the epoch. */
  now(): number {
    return this.#cluster.clock.now;
  }

  /** The state after the last turn, as it is stored: a copy, undefined where there is none. */
  state(pid: string): unknown {
    const process = this.#cluster.find(pid);
    const snapshot = process?.current ?? process?.stored;
    return snapshot && JSON.parse(snapshot.text);
  }

  /** The events of an entity, the oldest first. */
  journal(pid: string): { sequence: number; type: string; data: unknown }[] {
    const { entries = [] } = this.#cluster.find(pid)?.journal ?? {};
    return entries.map(({ sequence, type, dataText }) => ({ sequence, type, data: JSON.parse(dataText) as unknown }));
  }

  /** The state that a crash would leave; another than `state` only under a write policy. */
  storedState(pid: string): unknown {
    const stored = this.#cluster.find(pid)?.stored;
    return stored && JSON.parse(stored.text);
  }

  /** Undefined where there is no such process. */
  status(pid: string): KitProcess["status"] | undefined {
    return this.#cluster.find(pid)?.status;
  }

  /** Its books: how many turns and commits, and the version of its module. Undefined where there is no such process. */
  read(pid: string): { turns: number; revision: number; moduleVersion: number | undefined } | undefined {
    const process = this.#cluster.find(pid);
    if (!process) return undefined;
    const { turns, revision, current, stored } = process;
    return { turns, revision, moduleVersion: (current ?? stored)?.version };
  }

  /** Whether it is in a worker's memory; otherwise it sleeps, and the next message loads its state. */
  isAwake(pid: string): boolean {
    return this.#cluster.find(pid)?.module !== undefined;
  }

  tags(pid: string): readonly string[] {
    return this.#cluster.find(pid)?.options.tags ?? [];
  }

  /** Its timers, the next first. */
  timers(pid: string): TimerView[] {
    const process = this.#cluster.find(pid);
    return process ? viewTimers(process) : [];
  }

  /** What waits to be handled, the oldest first, without what is delayed. */
  mailbox(pid: string): MailView[] {
    return (this.#cluster.find(pid)?.mailbox ?? []).map(viewMail);
  }

  /** What it has sent and nobody has taken yet, the oldest first; there is something only after `hold`. */
  outbox(pid: string): SentView[] {
    return this.#post.held(pid).map(viewSent);
  }

  /** The newest first, also those of earlier lives. */
  deadLetters(pid: string): DeadLetter[] {
    return this.#cluster.deadLetters(pid);
  }

  /** Who is in a group. */
  members(group: string): Pid[] {
    return [...(this.#cluster.groups.get(group) ?? [])].sort();
  }

  /** What happened beside states and replies, the oldest first. */
  get events(): readonly KitEvent[] {
    return this.#cluster.journal.events;
  }

  /** What callbacks have logged, the oldest first. */
  get logs(): readonly LogLine[] {
    return this.#cluster.journal.lines;
  }
}
