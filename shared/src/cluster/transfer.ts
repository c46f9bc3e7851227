/**
 * Taking a process out of a cluster as one document, and making one of such a document, here or elsewhere.
 *
 * A document has what the process is: its state as last written, its options, its timers, what it is owed and its mail, that
 * in hand included, for its turn has not been committed. It also names the monitors, links and groups that it had; those
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
  state: unknown;
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
  | ["ok", record: string[], ties: string[], messages: string[]];

const MOST_MESSAGES = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;

export class Transfer {
  readonly #options: TransferOptions;
  readonly #sender: Sender;

  constructor(options: TransferOptions) {
    this.#options = options;
    this.#sender = new Sender(options);
  }

  /** All of it as of one moment. Refuses a mailbox of more than 10,000 messages or 64 MiB. */
  async exportProcess(pid: Pid): Promise<ProcessDocument> {
    const { link, keys, resolveState } = this.#options;
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
    const record = toRecord(raw[1]);
    const stateText = await readStateText(pid, record["d"] ?? "null", resolveState);
    return toDocument(pid, record, stateText, toRecord(raw[2]), raw[3]);
  }

  /** Makes a new incarnation; refuses where there is a process, unless it is to be replaced. */
  async importProcess({ pid, document, replaces, idempotencyKey }: ImportRequest): Promise<ProcessStatus> {
    const { link, keys, knowsModule, isStorageFull, outboxes, wipeState, storeState } = this.#options;
    const module = moduleOf(pid);
    if (!knowsModule(module)) throw new ClusterError("unknown_module", `there is no module "${module}"`);
    if (isStorageFull()) throw new ClusterError("storage_full", "Redis is nearly full; try again later");
    const partition = keys.partitionOf(pid);
    const act = composeAct(partition, pid, "import", { document, replaces }, idempotencyKey);
    const text = JSON.stringify(document.state) ?? "null";
    const stateText = storeState ? await storeState(pid, text) : text;
    const args = [keys.base(partition), pid, act.id, act.hash, act.keepMs, replaces ? 1 : 0, stateText];
    const made = withoutLinks(document);
    args.push(...toArguments(made, partition));
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
  stateText: string,
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
    state: JSON.parse(stateText),
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
function toArguments(document: ProcessDocument, partition: number): (string | number)[] {
  const { moduleVersion, revision, turns, options, mailbox } = document;
  const ids = mailbox.map(() => newMessageId(partition));
  const renamed = new Map(mailbox.map(({ messageId }, index) => [messageId, ids[index] ?? ""]));
  const timers = Object.entries(document.timers).filter(([, { id }]) => renamed.has(id));
  const status = statusAfter(document);
  const held = status === "paused" || status === "quarantined" ? status : "";
  const optionsText = Object.keys(options).length > 0 ? JSON.stringify(options) : "";
  const continued = document.continue ? [JSON.stringify(document.continue.value) ?? "null", 1] : ["", 0];
  const args = [moduleVersion, revision, turns, optionsText, held, document.reason ?? "", ...continued];
  args.push(timers.length);
  for (const [name, timer] of timers) args.push(`t:${name}`, JSON.stringify({ ...timer, id: renamed.get(timer.id) }));
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
