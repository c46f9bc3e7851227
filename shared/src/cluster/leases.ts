/**
 * A worker's verbs on a process: claim it, commit turns, give it up. Each is one script; a verb that is refused says so
 * and has changed nothing. docs/architecture.md argues why that is enough.
 */

import type { MessageKind } from "../process/message.ts";
import type { Pid } from "../process/pid.ts";
import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import type { RawEntry, StoredJournal } from "./journal.ts";

/** A message as it was fetched. */
export interface Fetched {
  id: string;
  kind: MessageKind;
  /** The envelope's JSON text. */
  envelope: string;
  /** How many nodes have died with this message alone in hand. */
  deaths: number;
  /** The stack in which it blocked a node, or "". */
  blame: string;
  /** How often it has failed and is to be tried again. */
  tries: number;
  /** In ms since the epoch; undefined for what was sent with a delay. */
  queuedAt: number | undefined;
}

/** The right to run a process: what a commit must name. */
export interface Lease {
  pid: Pid;
  partition: number;
  session: string;
  epoch: string;
  revision: number;
}

export interface Claimed {
  verdict: "ok";
  epoch: string;
  revision: number;
  turns: number;
  incarnation: string;
  status: "starting" | "alive";
  version: number | undefined;
  /** The JSON text of the term that handleContinue is owed, or "". */
  continueText: string;
  optionsText: string;
  /** The state's JSON text; undefined where the lease was renewed and the session has it, or there is none yet. */
  stateText: string | undefined;
  startedAt: number;
  messages: Fetched[];
  /** How many nodes have died with the continuation in hand. */
  continueDeaths: number;
  /** The fields of its ties; none where the lease was renewed. */
  ties: [field: string, text: string][];
  /** Whether its last worker did not give it up: it died, or was cut off. */
  isTakenOver: boolean;
  /** Of a process that has one, and of a lease that is new. */
  journal: StoredJournal | undefined;
}

export interface NotClaimed {
  /**
   * `dead`: the session is; `gone`: the process is; `moved`: it is another's; `stale`: a later claim was made; `held`: it is
   * paused or quarantined; `later`: a failed message waits for its next try.
   */
  verdict: "dead" | "gone" | "moved" | "stale" | "held" | "later";
}

export interface Settlement {
  id: string;
  /** `dead` keeps the message as a dead letter; `deferred` leaves its caller waiting for an `answer`. */
  verdict: "done" | "dead" | "deferred";
  /** The outcome's JSON text; "" where it is deferred. */
  outcome: string;
  replyTo: string;
  hash: string;
  keepMs: number;
  reason?: string;
  stack?: string[];
}

/** What a commit makes true beside state and outcomes: a name and its words, as commit-1.lua takes them. */
export type Act =
  | ["send", kind: SendKind, target: string, id: string, delayMs: number, options: string, envelope: string]
  | ["arm", id: string, dueAt: number, envelope: string]
  | ["disarm", id: string]
  | ["tie", field: string, text: string]
  | ["untie", field: string]
  | ["watch", partition: number, pid: string, ref: string]
  | ["unwatch", pid: string, refs: string]
  | ["answer", id: string, outcome: string]
  | ["options", text: string]
  | ["retry", id: string, delayMs: number]
  | ["compact", events: number, ms: number]
  | ["quarantine", why: string];

export type SendKind =
  | "cast"
  | "info"
  | "start"
  | "stop"
  | "exit"
  | "link"
  | "unlink"
  | "monitor"
  | "demonitor"
  | "join"
  | "leave"
  | "publish"
  | "reply";

/** An event that a turn has emitted. */
export interface Emission {
  type: string;
  /** JSON text. */
  dataText: string;
  messageId: string;
}

export interface CommitRequest {
  /** How many messages to fetch next; 0 leaves the mail where it is, and so does -1, while a turn is under way. */
  width: number;
  /** The new state's JSON text; undefined where it has not changed, or is not to be stored now. */
  stateText: string | undefined;
  /** Whether the worker has a state that is not stored: then a process that is held back stays its own until it is. */
  isAhead?: boolean;
  version: number;
  continueText: string | undefined;
  /** What becomes of the process: `alive` after init, `stopped` with its state kept, `wiped` without. */
  life: "" | "alive" | "stopped" | "wiped";
  /** The sum of the settled envelopes' lengths in UTF-8 bytes. */
  bytes: number;
  turns: number;
  settlements: readonly Settlement[];
  /** What goes into the journal, in order. */
  events?: readonly Emission[];
  acts: readonly Act[];
  /** Why the process ends, where it does. */
  reason: string;
}

export interface Committed {
  revision: number;
  hasMail: boolean;
  messages: Fetched[];
  isSwept: boolean;
  /** How many entries the outbox gained. */
  sent: number;
  /** Why the mailbox is not handled further: `paused` and `quarantined` ended the lease, `retry …` did not. Else "". */
  heldBack: string;
}

/** What came of giving a process up: `lost`, the lease was not held any more; `refused`, it is held as before. */
export type GivenUp = "done" | "lost" | "refused";

type RawMessage = [
  id: string,
  kind: MessageKind,
  envelope: string,
  deaths: string,
  blame: string,
  tries: string,
  queuedAt: string,
];
type RawClaim = [
  "ok",
  string,
  number,
  number,
  string,
  "starting" | "alive",
  string,
  string,
  string,
  string | null,
  number,
  RawMessage[],
  number,
  string[],
  number,
  [] | [last: string, largest: string, newestId: string, topId: string, entries: RawEntry[]],
];

type RawCommit = ["ok", number, number, RawMessage[], number, number, string];

export class Leases {
  readonly #link: RedisLink;
  readonly #keys: Keys;
  #claims = 0;

  constructor(link: RedisLink, keys: Keys) {
    this.#link = link;
    this.#keys = keys;
  }

  /** Claims, or renews where `epoch` is still the lease's. Without one the lease is new and the state is read. */
  async claim(pid: Pid, session: string, epoch: string, width: number): Promise<Claimed | NotClaimed> {
    const partition = this.#keys.partitionOf(pid);
    const args = [this.#keys.base(partition), pid, session, ++this.#claims, epoch, width];
    const raw = await this.#link.run<RawClaim | [NotClaimed["verdict"]]>(
      "claim",
      [this.#keys.process(partition, pid)],
      args,
    );
    if (raw[0] !== "ok") return { verdict: raw[0] };
    return {
      verdict: "ok",
      epoch: raw[1],
      revision: raw[2],
      turns: raw[3],
      incarnation: raw[4],
      status: raw[5],
      version: raw[6] ? Number(raw[6]) : undefined,
      continueText: raw[7],
      optionsText: raw[8],
      stateText: raw[9] ?? undefined,
      startedAt: raw[10],
      messages: raw[11].map(toFetched),
      continueDeaths: raw[12],
      ties: toPairs(raw[13]),
      isTakenOver: raw[14] === 1,
      journal: readJournal(raw[9], raw[15]),
    };
  }

  /** Commits a batch of turns. Undefined where the lease is lost: then nothing has changed. */
  async commit(lease: Lease, request: CommitRequest): Promise<Committed | undefined> {
    const { pid, partition, session, epoch, revision } = lease;
    const {
      width,
      stateText,
      isAhead = false,
      version,
      continueText,
      life,
      bytes,
      turns,
      settlements,
      events = [],
      acts,
      reason,
    } = request;
    const args: (string | number)[] = [
      this.#keys.base(partition),
      pid,
      session,
      epoch,
      revision,
      width,
      stateText ?? "",
      stateText === undefined ? (isAhead ? 2 : 0) : 1,
      version,
      continueText ?? "",
      continueText === undefined ? 0 : 1,
      life,
      bytes,
      turns,
      settlements.length,
      reason,
      events.length,
    ];
    for (const { id, verdict, outcome, replyTo, hash, keepMs, reason: why = "", stack } of settlements) {
      args.push(id, verdict, outcome, replyTo, hash, keepMs, why, stack ? JSON.stringify(stack) : "");
    }
    for (const { type, dataText, messageId } of events) args.push(type, dataText, messageId);
    for (const act of acts) args.push(...act);
    const key = this.#keys.process(partition, pid);
    const raw = await this.#link.run<RawCommit | ["refused", string]>("commit", [key], args);
    if (raw[0] !== "ok") return undefined;
    const [, nextRevision, hasMail, messages, swept, sent, heldBack] = raw;
    return {
      revision: nextRevision,
      hasMail: hasMail === 1,
      messages: messages.map(toFetched),
      isSwept: swept === 1,
      sent,
      heldBack: heldBack || "",
    };
  }

  /** Gives the process to another worker, between turns. `refused` where nobody else runs its module. */
  handOver(lease: Lease): Promise<GivenUp> {
    return this.#giveUp("hand-over", lease);
  }

  /** Puts an idle process to sleep. `refused` where there is mail, or the mailbox is held back. */
  passivate(lease: Lease): Promise<GivenUp> {
    return this.#giveUp("passivate", lease);
  }

  async #giveUp(script: "hand-over" | "passivate", lease: Lease): Promise<GivenUp> {
    const { pid, partition, session, epoch, revision } = lease;
    const args = [this.#keys.base(partition), pid, session, epoch, revision];
    const answer = await this.#link.run<number>(script, [this.#keys.process(partition, pid)], args);
    return answer === 1 ? "done" : answer === 0 ? "lost" : "refused";
  }

  /** Answers what is left in the mailboxes of ended incarnations of a partition. */
  async sweep(partition: number): Promise<void> {
    const args = [this.#keys.base(partition), 200];
    while ((await this.#link.run<number>("sweep", [this.#keys.sweep(partition)], args)) === 1);
  }

  /** Wakes processes with a due message; returns in how many ms the next of the partition is due, -1 for never. */
  ring(partition: number): Promise<number> {
    return this.#link.run<number>("ring", [this.#keys.due(partition)], [this.#keys.base(partition), 100]);
  }

  /** The processes of a partition that have mail and are this session's to handle. */
  readBusy(partition: number, session: string): Promise<Pid[]> {
    return this.#link.call<Pid[]>("smembers", this.#keys.busy(partition, session));
  }
}

function toFetched([id, kind, envelope, deaths, blame, tries, queuedAt]: RawMessage): Fetched {
  const numbers = { deaths: Number(deaths), tries: Number(tries), queuedAt: queuedAt ? Number(queuedAt) : undefined };
  return { id, kind, envelope, blame, ...numbers };
}

function readJournal(recordText: string | null, raw: RawClaim[15]): StoredJournal | undefined {
  const [last, largest, newestId = "", topId = "", entries = []] = raw;
  if (last === undefined) return undefined;
  const facts = { last: Number(last), largest: largest ? Number(largest) : undefined, newestId, topId };
  return { recordText: recordText ?? "", ...facts, entries };
}

function toPairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[index * 2] ?? "", flat[index * 2 + 1] ?? ""]);
}
