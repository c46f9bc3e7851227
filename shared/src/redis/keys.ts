/**
 * Every key and channel of the cluster is built here or, from a partition's base, at the head of a script.
 * docs/protocol.md lists each with its type, writer, reader and TTL.
 *
 * All keys of a partition carry its hash tag, `gs:{12}:…`, so that what must be atomic is in one slot of a Redis Cluster.
 * The members of the cluster have a tag of their own.
 */

import { type Pid, partitionOf, splitPid } from "../process/pid.ts";

/** Rises whenever a key, a record's field or an envelope changes its meaning. */
export const LAYOUT_VERSION = 3;

export class Keys {
  readonly prefix: string;
  readonly partitions: number;

  constructor(prefix: string, partitions: number) {
    this.prefix = prefix;
    this.partitions = partitions;
  }

  partitionOf(pid: Pid): number {
    return partitionOf(pid, this.partitions);
  }

  base(partition: number): string {
    return `${this.prefix}:{${partition}}:`;
  }

  process(partition: number, pid: Pid): string {
    return `${this.base(partition)}proc:${pid}`;
  }

  index(partition: number): string {
    return `${this.base(partition)}index`;
  }

  counts(partition: number): string {
    return `${this.base(partition)}counts`;
  }

  live(partition: number): string {
    return `${this.base(partition)}live`;
  }

  busy(partition: number, session: string): string {
    return `${this.base(partition)}busy:${session}`;
  }

  ready(partition: number, module: string): string {
    return `${this.base(partition)}ready:${module}`;
  }

  due(partition: number): string {
    return `${this.base(partition)}due`;
  }

  sweep(partition: number): string {
    return `${this.base(partition)}sweep`;
  }

  graves(partition: number, pid: Pid): string {
    return `${this.base(partition)}graves:${pid}`;
  }

  outcome(partition: number, messageId: string): string {
    return `${this.base(partition)}m:${messageId}`;
  }

  /** The timers, monitors, links and groups of an incarnation. */
  own(partition: number, mailbox: string): string {
    return `${this.base(partition)}own:${mailbox}`;
  }

  /** What a process that somebody follows has done lately, a capped stream. */
  history(partition: number, pid: Pid): string {
    return `${this.base(partition)}history:${pid}`;
  }

  /** The events of a process, a stream by sequence. */
  journal(partition: number, pid: Pid): string {
    return `${this.base(partition)}journal:${pid}`;
  }

  /** Earlier snapshots of a process whose journal is cut. */
  snapshots(partition: number, pid: Pid): string {
    return `${this.base(partition)}snapshots:${pid}`;
  }

  /** Where it is said that there is more of it. */
  historyChannel(pid: Pid): string {
    return `${this.prefix}:history:${pid}`;
  }

  /** Who is to be told when a process ends. */
  watch(partition: number, pid: Pid): string {
    return `${this.base(partition)}watch:${pid}`;
  }

  /** What a mailbox's process wants sent; `!` names the partition's own. */
  outbox(partition: number, mailbox: string): string {
    return `${this.base(partition)}out:${mailbox}`;
  }

  /** The outboxes of a partition that are to be emptied. */
  outboxes(partition: number): string {
    return `${this.base(partition)}outs`;
  }

  /** The last number that a partition has taken of a stream of messages. */
  stream(partition: number, stream: string): string {
    return `${this.base(partition)}from:${stream}`;
  }

  /** The calls of an incarnation that are to be answered later. */
  deferred(partition: number, mailbox: string): string {
    return `${this.base(partition)}defer:${mailbox}`;
  }

  groupPartition(group: string): number {
    return partitionOf(`group/${group}`, this.partitions);
  }

  group(group: string): string {
    return `${this.base(this.groupPartition(group))}group:${group}`;
  }

  /** Which call a process's turn waits for. */
  waits(partition: number, pid: Pid): string {
    return `${this.base(partition)}waits:${pid}`;
  }

  /** BullMQ's prefix for the queues of a partition. */
  queuePrefix(partition: number): string {
    return `${this.base(partition)}q`;
  }

  /** The key of one of a mailbox's structures, or of one of its jobs. */
  queue(partition: number, name: string, part: string): string {
    return `${this.queuePrefix(partition)}:${name}:${part}`;
  }

  get members(): string {
    return `${this.prefix}:{members}:`;
  }

  get cluster(): string {
    return `${this.members}cluster`;
  }

  /** The log of all nodes, a capped stream. */
  get logs(): string {
    return `${this.members}logs`;
  }

  get sessions(): string {
    return `${this.members}sessions`;
  }

  session(session: string): string {
    return `${this.members}session:${session}`;
  }

  wakeChannel(session: string): string {
    return `${this.prefix}:wake:${session}`;
  }

  replyChannel(session: string): string {
    return `${this.prefix}:reply:${session}`;
  }
}

/** The name of a mailbox, which is also the name of its BullMQ queue. */
export function mailboxName(pid: Pid, incarnation: number | string): string {
  return `${pid}@${incarnation}`;
}

export function moduleOf(pid: Pid): string {
  return splitPid(pid).module;
}
