/** What can be seen of a cluster: the shapes that a snapshot reads and every console shows. Times are ISO 8601. */

import type { Failure, MessageStatus } from "../process/outcome.ts";
import type { Role } from "../process/role.ts";
import type { ProcessStatus } from "../process/status.ts";

export interface ProcessView {
  pid: string;
  module: string;
  key: string;
  status: ProcessStatus;
  /** Why it is quarantined. */
  reason?: string;
  tags: string[];
  moduleVersion: number;
  revision: number;
  epoch: number;
  /** The session that holds the lease. */
  owner: string | null;
  turns: number;
  /** Of the last event in its journal, where it has one. */
  sequence?: number;
  mailbox: MailboxView;
  startedAt: string;
  updatedAt: string;
  state?: unknown;
}

export interface MailboxView {
  waiting: number;
  delayed: number;
  failed: number;
}

export interface QueuedMessage {
  messageId: string;
  kind: string;
  message: unknown;
  queuedAt: string;
  /** Of a delayed message. */
  dueAt?: string;
  /** The timer whose tick it is. */
  timer?: string;
}

/** A look into a mailbox, the head first. */
export interface MailboxPeek {
  pid: string;
  status: ProcessStatus;
  reason?: string;
  /** How many there are in all. */
  mailbox: MailboxView;
  /** What handleContinue is owed; it comes before any message. */
  continue?: { value: unknown };
  /** In hand: their turns are under way, or were when their node died. */
  running: QueuedMessage[];
  waiting: QueuedMessage[];
  delayed: QueuedMessage[];
  /** Whether messages were left out because there is too much of them for one answer. */
  isCut: boolean;
}

export interface ProcessPage {
  processes: ProcessView[];
  nextCursor?: string;
}

export interface MessageView {
  messageId: string;
  status: MessageStatus;
  reply?: unknown;
  error?: Failure;
}

export interface DeadLetter {
  messageId: string;
  kind: string;
  message: unknown;
  reason: string;
  stack: string[];
  /** How many nodes died with the message in hand; 0 where its callback failed. */
  deaths: number;
  node: string;
  failedAt: string;
}

export interface NodeView {
  /** The node's session. */
  id: string;
  name: string;
  role: Role;
  host: string;
  osPid: number;
  startedAt: string;
  seenMsAgo: number;
  /** CPU seconds per second: 1 is one core. */
  load?: number;
  /** The 99th percentile of how late its event loop ran, in ms. What is told of a time is told since the heartbeat before. */
  lagMs?: number;
  /** Turns a second of a worker, requests a second of an api. */
  rate?: number;
  /** Of the turns of a worker, of the calls of an api. */
  latency?: { p50Ms: number; p99Ms: number };
  /** The 99th percentile of how long messages waited for their turn, in ms. */
  waitMs?: number;
  /** Turns that failed since the worker started. */
  failures?: number;
  /** Processes that it has taken over from workers that died, since it started. */
  takeovers?: number;
  /** Up to ten processes with the most turns. */
  busiest?: { pid: string; turns: number; failed: number }[];
  /** Processes in the worker's memory. */
  held?: number;
  /** Those of them that are in a turn. */
  running?: number;
  /** Turns since the worker started. */
  turns?: number;
  modules?: string[];
}

export interface ClusterView {
  nodes: NodeView[];
  processes: Record<ProcessStatus, number>;
  mailbox: MailboxView;
  redis: { version: string; usedMemoryBytes: number; maxMemoryBytes: number; connected: boolean };
}

export interface ListQuery {
  module?: string | undefined;
  status?: ProcessStatus | undefined;
  tag?: string | undefined;
  /** A session, or the name of a node. */
  owner?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}
