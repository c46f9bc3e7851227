/** The client's methods for those who operate a cluster: they overtake a process's mail, or act on many processes. */

import type { ProcessStatus } from "./answers.ts";
import type {
  BatchAnswer,
  BatchedCast,
  BulkAction,
  BulkAnswer,
  BulkFilter,
  DeadLetter,
  HoldAnswer,
  JournalPage,
  JournalState,
  MailboxView,
  MembersPage,
  MigrationView,
  ModuleView,
  ProcessDocument,
  PublishAnswer,
  SkipAnswer,
} from "./operator-answers.ts";
import { pathOf, type ReadOptions, type RequestOptions, type Requests } from "./requests.ts";

export interface BulkOptions extends RequestOptions {
  /** Only counts. */
  dryRun?: boolean;
  /** Of kill and stop. */
  reason?: string;
  /** Where an earlier answer has ended. */
  cursor?: string;
}

export interface ImportOptions extends RequestOptions {
  /** The document's own unless given. */
  pid?: string;
  /** Whether an existing process is an error, as it is unless given, or replaced. */
  ifExists?: "error" | "replace";
}

export interface JournalOptions extends ReadOptions {
  /** The first sequence; the first that is kept unless given. */
  from?: number;
  /** 100 unless given. */
  limit?: number;
}

export interface PageOptions extends ReadOptions {
  limit?: number;
  cursor?: string;
}

/** How long the cluster takes at most for an act on many processes. */
const MANY_MS = 30_000;
const TRANSFER_MS = 60_000;
/** How long the events of a process may take to become its state. */
const STATE_MS = 15_000;

export class OperatorClient {
  readonly #requests: Requests;

  constructor(requests: Requests) {
    this.#requests = requests;
  }

  /** Mail is kept, and nothing runs, until `resume`. */
  pause(pid: string, options: RequestOptions = {}): Promise<HoldAnswer> {
    return this.#act(pid, "pause", {}, options);
  }

  resume(pid: string, options: RequestOptions = {}): Promise<HoldAnswer> {
    return this.#act(pid, "resume", {}, options);
  }

  /** Lets a process go on that has crashed too fast. */
  unquarantine(pid: string, options: RequestOptions = {}): Promise<HoldAnswer> {
    return this.#act(pid, "unquarantine", {}, options);
  }

  /** Ends a process at once, without terminate; the reason is `killed` unless given. */
  kill(pid: string, reason?: string, options: RequestOptions = {}): Promise<{ reason: string; stateKept: boolean }> {
    return this.#act(pid, "kill", { reason }, options);
  }

  /** What is in hand, waits, and is delayed; of each 100 messages unless a limit is given. */
  async mailbox(pid: string, { limit, ...options }: ReadOptions & { limit?: number } = {}): Promise<MailboxView> {
    return (await this.#requests.get(`${pathOf(pid)}/mailbox`, { limit }, options)) as MailboxView;
  }

  /** The events of a process, in order. */
  async journal(pid: string, { from, limit, ...options }: JournalOptions = {}): Promise<JournalPage> {
    return (await this.#requests.get(`${pathOf(pid)}/journal`, { from, limit }, options)) as JournalPage;
  }

  /** What they had come to, at a sequence or a time; now unless given. */
  async stateAt(pid: string, at?: number | Date, options: ReadOptions = {}): Promise<JournalState> {
    const query = { at: at instanceof Date ? at.toISOString() : at };
    return (await this.#requests.get(`${pathOf(pid)}/journal/state`, query, options, STATE_MS)) as JournalState;
  }

  /** Drops what a paused or quarantined process would handle next; with an id, only where it is that message. */
  skip(pid: string, messageId?: string, options: RequestOptions = {}): Promise<SkipAnswer> {
    return this.#act(pid, "mailbox/skip", { messageId }, options);
  }

  async deadLetters(pid: string, options: ReadOptions = {}): Promise<DeadLetter[]> {
    const answer = await this.#requests.get(`${pathOf(pid)}/dead-letters`, {}, options);
    return (answer as { deadLetters: DeadLetter[] }).deadLetters;
  }

  /** Puts a dead letter back at the end of the mailbox. */
  retryDeadLetter(pid: string, messageId: string, options: RequestOptions = {}): Promise<{ messageId: string }> {
    return this.#act(pid, `dead-letters/${encodeURIComponent(messageId)}/retry`, {}, options);
  }

  /** Puts all of a process's dead letters back, oldest first. */
  retryDeadLetters(pid: string, options: RequestOptions = {}): Promise<{ retried: number }> {
    return this.#act(pid, "dead-letters/retry", {}, options, MANY_MS);
  }

  async dropDeadLetter(pid: string, messageId: string, options: ReadOptions = {}): Promise<{ messageId: string }> {
    const path = `${pathOf(pid)}/dead-letters/${encodeURIComponent(messageId)}`;
    return (await this.#requests.delete(path, options)) as { messageId: string };
  }

  async dropDeadLetters(pid: string, options: ReadOptions = {}): Promise<{ dropped: number }> {
    return (await this.#requests.delete(`${pathOf(pid)}/dead-letters`, options)) as { dropped: number };
  }

  /** Up to 1,000 casts, each with a result of its own. Those for one process are accepted in their order. */
  async batch(casts: readonly BatchedCast[], options: RequestOptions = {}): Promise<BatchAnswer> {
    return (await this.#requests.post("/v1/batch", { casts }, options, MANY_MS)).body as BatchAnswer;
  }

  /** Acts on every process that the filter matches, for about 20 s; `nextCursor` says where it has ended. */
  async bulk(
    action: BulkAction,
    filter: BulkFilter,
    { dryRun, reason, cursor, ...options }: BulkOptions = {},
  ): Promise<BulkAnswer> {
    const body = { action, filter, dryRun, reason, cursor };
    return (await this.#requests.post("/v1/bulk", body, options, MANY_MS)).body as BulkAnswer;
  }

  /** All of a process as of one moment. */
  async export(pid: string, options: ReadOptions = {}): Promise<ProcessDocument> {
    return (await this.#requests.get(`${pathOf(pid)}/export`, {}, options, TRANSFER_MS)) as ProcessDocument;
  }

  /** Makes a process of a document; no init runs. */
  async import(
    document: ProcessDocument,
    { pid, ifExists, ...options }: ImportOptions = {},
  ): Promise<{ pid: string; status: ProcessStatus }> {
    const body = { document, pid, ifExists };
    const answer = await this.#requests.post("/v1/processes/import", body, options, TRANSFER_MS);
    return answer.body as { pid: string; status: ProcessStatus };
  }

  /** A page of a group; a page may be short while `nextCursor` is there. */
  async members(group: string, { limit, cursor, ...options }: PageOptions = {}): Promise<MembersPage> {
    return (await this.#requests.get(groupPath(group), { limit, cursor }, options)) as MembersPage;
  }

  /** Sends an info to every member of a group, for about 20 s. */
  async publish(
    group: string,
    message: unknown,
    { cursor, ...options }: RequestOptions & { cursor?: string } = {},
  ): Promise<PublishAnswer> {
    const body = { message, cursor };
    return (await this.#requests.post(`${groupPath(group)}/publish`, body, options, MANY_MS)).body as PublishAnswer;
  }

  /** What the node that answers has loaded. */
  async modules(options: ReadOptions = {}): Promise<ModuleView[]> {
    return ((await this.#requests.get("/v1/modules", {}, options)) as { modules: ModuleView[] }).modules;
  }

  /** Tries a module on what it has stored: codeChange, or recovery from each journal; nothing is changed. */
  async tryMigration(module: string, { waitMs = TRANSFER_MS, ...options }: ReadOptions & { waitMs?: number } = {}) {
    const path = `/v1/modules/${encodeURIComponent(module)}/migration`;
    return (await this.#requests.get(path, { dryRun: true }, options, waitMs)) as MigrationView;
  }

  async #act<T>(pid: string, verb: string, body: object, options: RequestOptions, waitMs?: number): Promise<T> {
    return (await this.#requests.post(`${pathOf(pid)}/${verb}`, body, options, waitMs)).body as T;
  }
}

function groupPath(group: string): string {
  return `/v1/groups/${encodeURIComponent(group)}`;
}
