/**
 * Taking a process out of a cluster as one document, and making one of such a document, here or elsewhere.
 *
 * A document has what the process is: its state as last written, or its journal, its options, its timers, what it is owed and
 * its mail, that in hand included, for its turn has not been committed. It also names the monitors, links and groups that it had; those
 * belong to two sides and are not made anew. Callers are not part of it: a call that was exported is handled again, and
 * nobody is told the reply. Dead letters stay where they are.
 */

import { newMessageId } from "../process/message.ts";
import type { Pid } from "../process/pid.ts";
import { type ProcessStatus, readStatus } from "../process/status.ts";
import { type ResolveState, readStateText } from "../process/stored-state.ts";
import { moduleOf } from "../redis/keys.ts";
import { ClusterError } from "../service/errors.ts";
import { composeAct, readDone } from "./act.ts";
import { noProcess } from "./control.ts";
import { seal } from "./envelope.ts";
import { hasJournal, JournalBroken, Journals } from "./journal.ts";
import { findJournalFault, type JournalDocument, readJournalDocument, toJournalArguments } from "./journal-document.ts";
import type { Outboxes } from "./outbox.ts";
import { Sender, type SenderOptions } from "./sender.ts";

/** Times are in ms since the epoch. */
export interface ProcessDocument {
  format: 1;
  pid: string;
  status: ProcessStatus;
  /** Why it is quarantined. */
  reason?: string | undefined;
  moduleVersion: number;
  revision: number;
  turns: number;
  /** Null of a process with a journal. */
  state: unknown;
  journal?: JournalDocument | undefined;
  options: Record<string, unknown>;
  /** What handleContinue is owed. */
  continue?: { value: unknown } | undefined;
  timers: Record<string, TimerDocument>;
  /** Fields of lib/ties: `m:<ref>`, `l:<pid>`, `g:<group>`. Told, and not made anew. */
  ties: Record<string, string>;
  /** In the order in which it is handled; what is delayed comes last. */
  mailbox: MessageDocument[];
}

/** `id` is that of the message that is on its way; the rest is the sdk's. */
export interface TimerDocument {
  id: string;
  dueAt: number;
  [more: string]: unknown;
}

export interface MessageDocument {
  messageId: string;
  kind: string;
  message?: unknown;
  queuedAt: number;
  /** Of a delayed message. */
  dueAt?: number | undefined;
  /** The timer whose tick it is. */
  timer?: string | undefined;
}

export interface TransferOptions extends SenderOptions {
  outboxes: Outboxes;
  resolveState?: ResolveState;
  /** Puts a state where its module keeps states, and returns the text for the record. The text itself unless given. */
  storeState?: (pid: Pid, stateText: string) => Promise<string>;
  wipeState?: (pid: Pid, reference: string) => Promise<void>;
}

export interface ImportRequest {
  pid: Pid;
  document: ProcessDocument;
  replaces: boolean;
  idempotencyKey?: string | undefined;
}

type RawExport =
  | ["no_process"]
  | ["starting"]
  | ["too_large", number, number]
  | ["ok", record: string[], ties: string[], messages: string[], baseText: string];

const MOST_MESSAGES = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;
/** How often a journal is read that is cut meanwhile. */
const MOST_TRIES = 5;

export class Transfer {
  readonly #options: TransferOptions;
  readonly #sender: Sender;
  readonly #journals: Journals;

  constructor(options: TransferOptions) {
    this.#options = options;
    this.#sender = new Sender(options);
    this.#journals = new Journals(options.link, options.keys);
  }

  /**
   * All of it as of one moment. Refuses a mailbox of more than 10,000 messages or 64 MiB, and a journal of more than 100,000
   * events or what the mailbox leaves of the 64 MiB. Rejects with JournalBroken.
   */
  async exportProcess(pid: Pid): Promise<ProcessDocument> {
    for (let tries = 1; ; tries++) {
      const { record, ties, messages, baseText } = await this.#readAll(pid);
      if (!hasJournal(record["d"])) {
        const stateText = await readStateText(pid, record["d"] ?? "null", this.#options.resolveState);
        return toDocument(pid, record, JSON.parse(stateText), ties, messages);
      }
      try {
        const journal = await this.#readJournal(pid, record, messages, baseText);
        if (await this.#isSameLife(pid, record)) {
          return { ...toDocument(pid, record, null, ties, messages), journal };
        }
        if (tries === MOST_TRIES) throw new JournalBroken(`${pid} begins again and again`);
      } catch (error) {
        if (!(error instanceof JournalBroken) || tries === MOST_TRIES) throw error;
      }
    }
  }

  async #readAll(pid: Pid) {
    const { link, keys } = this.#options;
    const partition = keys.partitionOf(pid);
    const args = [keys.base(partition), pid, MOST_MESSAGES, MOST_BYTES];
    const send = () => link.run<RawExport>("export", [keys.process(partition, pid)], args);
    const raw = await this.#sender.repeat(send, `export of ${pid}`);
    if (raw[0] === "no_process") throw noProcess(pid);
    if (raw[0] === "starting") throw new ClusterError("not_started", `${pid} has no state yet`);
    if (raw[0] === "too_large") {
      const held = `${raw[1]} messages and ${raw[2]} bytes`;
      throw new ClusterError(
        "too_large_to_export",
        `the mailbox of ${pid} holds ${held}; ${MOST_MESSAGES} and ${MOST_BYTES} can be exported`,
      );
    }
    const [, record, ties, messages, baseText] = raw;
    return { record: toRecord(record), ties: toRecord(ties), messages, baseText };
  }

  #readJournal(
    pid: Pid,
    record: Record<string, string>,
    messages: readonly string[],
    baseText: string,
  ): Promise<JournalDocument> {
    const mailBytes = messages.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    const stored = { recordText: record["d"] ?? "", last: Number(record["J"] ?? 0), baseText };
    return readJournalDocument(this.#journals, pid, stored, MOST_BYTES - mailBytes);
  }

  /** Its journal is then the one that was read. */
  async #isSameLife(pid: Pid, record: Record<string, string>): Promise<boolean> {
    const { link, keys } = this.#options;
    return (await link.call<string | null>("hget", keys.process(keys.partitionOf(pid), pid), "i")) === record["i"];
  }

  /** Makes a new incarnation; refuses where there is a process, unless it is to be replaced. */
  async importProcess({ pid, document, replaces, idempotencyKey }: ImportRequest): Promise<ProcessStatus> {
    const { link, keys, knowsModule, isStorageFull, outboxes, wipeState, storeState } = this.#options;
    const module = moduleOf(pid);
    if (!knowsModule(module)) throw new ClusterError("unknown_module", `there is no module "${module}"`);
    if (isStorageFull()) throw new ClusterError("storage_full", "Redis is nearly full; try again later");
    const fault = document.journal && findJournalFault(document.journal);
    if (fault !== undefined) throw new ClusterError("invalid_request", `the document's journal: ${fault}`);
    const partition = keys.partitionOf(pid);
    const act = composeAct(partition, pid, "import", { document, replaces }, idempotencyKey);
    const journal = document.journal && toJournalArguments(document.journal);
    const text = JSON.stringify(document.state) ?? "null";
    const stateText = journal?.recordText ?? (storeState ? await storeState(pid, text) : text);
    const args = [keys.base(partition), pid, act.id, act.hash, act.keepMs, replaces ? 1 : 0, stateText];
    const made = withoutLinks(document);
    for (const arg of toArguments(made, partition, journal)) args.push(arg);
    const send = () =>
      link.run<[string, string?, number?, number?, string?]>("import", [keys.process(partition, pid)], args);
    const [verdict, detail = "", sent = 0, , reference] = await this.#sender.repeat(send, act.id);
    if (verdict === "exists") {
      const how = detail === "stopped" ? "stopped with its state kept" : "started";
      throw new ClusterError("already_started", `${pid} is ${how} already; ifExists: "replace" ends it first`);
    }
    if (verdict === "known") readDone(detail, act);
    if (sent > 0) void outboxes.empty(partition, detail);
    if (reference) await wipeState?.(pid, reference);
    return statusAfter(made);
  }
}

function toDocument(
  pid: Pid,
  record: Record<string, string>,
  state: unknown,
  own: Record<string, string>,
  flat: readonly string[],
): ProcessDocument {
  const timers = Object.entries(own).flatMap(([field, text]) =>
    field.startsWith("t:") ? [[field.slice(2), JSON.parse(text) as TimerDocument] as const] : [],
  );
  return {
    format: 1,
    pid,
    status: readStatus(record["s"] ?? "", record["b"] === "1", record["p"] ?? ""),
    ...(record["f"] !== undefined && { reason: record["f"] }),
    moduleVersion: Number(record["v"] ?? 0),
    revision: Number(record["r"] ?? 0),
    turns: Number(record["t"] ?? 0),
    state,
    options: record["g"] ? (JSON.parse(record["g"]) as Record<string, unknown>) : {},
    ...(record["q"] !== undefined && { continue: { value: JSON.parse(record["q"]) as unknown } }),
    timers: Object.fromEntries(timers),
    ties: Object.fromEntries(Object.entries(own).filter(([field]) => !field.startsWith("t:"))),
    mailbox: toMessages(flat),
  };
}

/** A start that revives it is left out: a document has a state, and its process begins with that. */
function toMessages(flat: readonly string[]): MessageDocument[] {
  const all = Array.from({ length: flat.length / 5 }, (_, index) => toMessage(flat.slice(index * 5, index * 5 + 5)));
  return all.filter(({ kind }) => kind !== "start");
}

function toMessage([id = "", kind = "", envelope = "", queuedAt, dueAt]: readonly string[]): MessageDocument {
  const { m, t } = readEnvelope(envelope);
  return {
    messageId: id,
    kind,
    message: m,
    queuedAt: Number(queuedAt),
    ...(dueAt && { dueAt: Number(dueAt) }),
    ...(t !== undefined && { timer: t }),
  };
}

/** Another tool may have spoilt it. */
function readEnvelope(text: string): { m?: unknown; t?: string } {
  try {
    return JSON.parse(text) as { m?: unknown; t?: string };
  } catch {
    return { m: null };
  }
}

/** A link that was not handled yet is left out: the other side has it with the process that was exported. */
function withoutLinks(document: ProcessDocument): ProcessDocument {
  return { ...document, mailbox: document.mailbox.filter(({ kind }) => kind !== "link") };
}

/**
 * What import-1.lua takes from the version on. Messages get new ids, and timers follow theirs; one whose message is not
 * among them would never be due and is left out.
 */
function toArguments(
  document: ProcessDocument,
  partition: number,
  journal: ReturnType<typeof toJournalArguments> | undefined,
): (string | number)[] {
  const { moduleVersion, revision, turns, options, mailbox } = document;
  const ids = mailbox.map(() => newMessageId(partition));
  const renamed = new Map(mailbox.map(({ messageId }, index) => [messageId, ids[index] ?? ""]));
  const timers = Object.entries(document.timers).filter(([, { id }]) => renamed.has(id));
  const status = statusAfter(document);
  const held = status === "paused" || status === "quarantined" ? status : "";
  const optionsText = Object.keys(options).length > 0 ? JSON.stringify(options) : "";
  const continued = document.continue ? [JSON.stringify(document.continue.value) ?? "null", 1] : ["", 0];
  const args = [moduleVersion, revision, turns, optionsText, held, document.reason ?? "", ...continued];
  const { words = [], last = 0, baseText = "" } = journal ?? {};
  args.push(timers.length, words.length / 5, last, baseText);
  for (const [name, timer] of timers) args.push(`t:${name}`, JSON.stringify({ ...timer, id: renamed.get(timer.id) }));
  for (const word of words) args.push(word);
  for (const [index, { kind, message, dueAt, timer }] of mailbox.entries()) {
    const envelope = seal(JSON.stringify(message) ?? "null", timer === undefined ? {} : { timer });
    args.push(ids[index] ?? "", kind, envelope, dueAt ?? "");
  }
  return args;
}

/** What was held back stays so; everything else begins anew. */
function statusAfter({ status, mailbox, continue: continued }: ProcessDocument): ProcessStatus {
  if (status === "paused" || status === "quarantined") return status;
  return continued !== undefined || mailbox.some(({ dueAt }) => dueAt === undefined) ? "running" : "idle";
}

function toRecord(flat: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: flat.length / 2 }, (_, index) => [flat[index * 2] ?? "", flat[index * 2 + 1] ?? ""]),
  );
}
