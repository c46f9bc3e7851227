/** What the cluster answers to operators. Times are ISO 8601 texts, but in a process's document, where they are ms. */

import type { MailboxCounts, ProcessStatus } from "./answers.ts";

export interface HoldAnswer {
  pid: string;
  status: ProcessStatus;
}

export interface MailboxView {
  pid: string;
  status: ProcessStatus;
  /** Why it is quarantined. */
  reason?: string;
  mailbox: MailboxCounts;
  /** What handleContinue is owed, before any message. */
  continue?: { value: unknown };
  /** Handed to a worker. */
  running: QueuedMessage[];
  /** Head first. */
  waiting: QueuedMessage[];
  delayed: QueuedMessage[];
  /** Whether there are more than these. */
  isCut: boolean;
}

export interface QueuedMessage {
  messageId: string;
  kind: string;
  message: unknown;
  queuedAt: string;
  dueAt?: string;
  /** The name of the timer that sends it. */
  timer?: string;
}

/** The message that was dropped; without an id it was what handleContinue was owed. */
export interface SkipAnswer {
  messageId?: string;
  kind: string;
  timer?: string;
}

export interface DeadLetter {
  messageId: string;
  kind: string;
  message: unknown;
  reason: string;
  stack: string[];
  /** How many nodes died over it. */
  deaths: number;
  node: string;
  failedAt: string;
}

/** One cast of a batch. */
export interface BatchedCast {
  pid: string;
  message: unknown;
  delayMs?: number;
  idempotencyKey?: string;
}

/** One result for each cast, in their order. */
export interface BatchAnswer {
  accepted: number;
  results: ({ messageId: string } | { problem: { code: string; status: number; title: string; detail: string } })[];
}

export type BulkAction =
  | "pause"
  | "resume"
  | "unquarantine"
  | "kill"
  | "stop"
  | "retry-dead-letters"
  | "drop-dead-letters";

/** All that it names must hold; `all` is for every process, and stands alone. */
export type BulkFilter = { all: true } | { module?: string; status?: ProcessStatus; tag?: string; owner?: string };

/** `done` and `failed` are empty in a dry run. */
export interface BulkAnswer {
  matched: number;
  done: number;
  failed: Failed[];
  /** There while more may match. */
  nextCursor?: string;
}

export interface Failed {
  pid: string;
  code: string;
}

/** All of a process, to be kept as it is, and imported. */
export interface ProcessDocument {
  format: 1;
  pid: string;
  status: ProcessStatus;
  moduleVersion: number;
  revision: number;
  turns: number;
  /** Null where it keeps a journal. */
  state: unknown;
  journal?: unknown;
  [further: string]: unknown;
}

/** Part of the events of a process. */
export interface JournalPage {
  pid: string;
  /** The first that is kept; `last + 1` where there is none. */
  first: number;
  last: number;
  events: JournalEvent[];
  /** Where the next page begins; there while there is more. */
  next?: number;
}

export interface JournalEvent {
  sequence: number;
  type: string;
  data: unknown;
  /** Of the module that emitted it. */
  version: number;
  at: string;
  /** The message whose turn emitted it. */
  messageId: string;
}

/** What the events up to one of them had come to. */
export interface JournalState {
  pid: string;
  /** 0 before the first event. */
  sequence: number;
  /** When that event was committed; null before the first, and where it is not kept. */
  at: string | null;
  /** Null where the api does not have the module. */
  state: unknown;
}

export interface MembersPage {
  members: string[];
  /** There while more may follow, also after a short page. */
  nextCursor?: string;
}

export interface PublishAnswer {
  sent: number;
  failed: Failed[];
  /** There where the time was over before the group was: publish again from here. */
  nextCursor?: string;
}

export interface ModuleView {
  name: string;
  version: number;
}

/** What codeChange would make of the states that other versions have left; or recovery of each journal. */
export interface MigrationView {
  module: string;
  version: number;
  examined: number;
  /** Of this version already. */
  current: number;
  migratable: number;
  /** Of these, how many need all of their journal. */
  whole: number;
  failed: number;
  /** The first hundred. `event` is the sequence of the one that it fails at. */
  failures: { pid: string; fromVersion: number; event?: number; error: string }[];
}
