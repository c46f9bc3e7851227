/** What the cluster answers over HTTP. Times are ISO 8601 texts. */

export type ProcessStatus = "starting" | "running" | "idle" | "paused" | "stopped" | "quarantined";

export interface StartAnswer {
  pid: string;
  status: ProcessStatus;
  /** False where `ifExists: "return"` found the process already there. */
  created: boolean;
}

export interface ProcessView {
  pid: string;
  module: string;
  key: string;
  status: ProcessStatus;
  /** Why it is stopped or quarantined. */
  reason?: string;
  tags: string[];
  moduleVersion: number;
  /** Counts commits, as `turns` counts messages handled. */
  revision: number;
  /** Rises whenever another worker takes the process over. */
  epoch: number;
  /** The session that runs the process; null while it sleeps. */
  owner: string | null;
  turns: number;
  /** Of the last event in its journal, where it has one. */
  sequence?: number;
  mailbox: MailboxCounts;
  startedAt: string;
  updatedAt: string;
}

export interface MailboxCounts {
  waiting: number;
  delayed: number;
  failed: number;
}

export interface ProcessPage {
  processes: ProcessView[];
  /** There while more may follow, also after a short page. */
  nextCursor?: string;
}

export interface MessageView {
  messageId: string;
  status: "queued" | "running" | "done" | "failed" | "dropped" | "expired";
  reply?: unknown;
  error?: { code: string; detail: string };
}

export interface NodeView {
  id: string;
  name: string;
  role: "api" | "worker" | "gateway" | "sysmon";
  host: string;
  osPid: number;
  startedAt: string;
  seenMsAgo: number;
  /** Of a worker: the processes that it holds, and of them those in a turn. */
  held?: number;
  running?: number;
  /** Of a worker: messages handled since its start. */
  turns?: number;
  modules?: string[];
  /** CPU seconds that the node's operating-system process uses, per second. */
  load?: number;
  /** 99th percentile of the event loop's delay since the last heartbeat. */
  lagMs?: number;
  /** Since the last heartbeat, per second: an api's requests, a worker's turns. */
  rate?: number;
  /** Since the last heartbeat: of an api's calls, of a worker's turns. */
  latency?: { p50Ms: number; p99Ms: number };
  /** Of a worker: 99th percentile of the time that messages waited for their turn. */
  waitMs?: number;
  /** Of a worker, since its start. */
  failures?: number;
  takeovers?: number;
  /** Of a worker: the processes with most turns since the last heartbeat. */
  busiest?: { pid: string; turns: number; failed: number }[];
}

export interface ClusterView {
  nodes: NodeView[];
  processes: Record<ProcessStatus, number>;
  mailbox: MailboxCounts;
  redis: { version: string; usedMemoryBytes: number; maxMemoryBytes: number; connected: boolean };
}
