/**
 * The sender's side of a mailbox: composes messages for processes, has them sent, and waits for their outcomes.
 *
 * An outcome comes as a publication; as publications can be missed, whoever waits also looks for itself: after a gap in the
 * subscription, after each new connection, and every second. A message that Redis, restarted, no longer knows is sent
 * again under the same id.
 */

import { randomBytes } from "node:crypto";
import { deriveKey, randomKey } from "../process/key.ts";
import { deriveMessageId, type MessageKind, newMessageId, partitionOfMessage } from "../process/message.ts";
import type { Outcome } from "../process/outcome.ts";
import { type Pid, toPid } from "../process/pid.ts";
import type { ProcessStatus } from "../process/status.ts";
import { moduleOf } from "../redis/keys.ts";
import type { Subscriber } from "../redis/subscriber.ts";
import { ClusterError, isErrorCode } from "../service/errors.ts";
import type { Part } from "../service/lifecycle.ts";
import type { ClusterClock } from "./clock.ts";
import { OUTCOME_MS, seal } from "./envelope.ts";
import { hashOf, KEYED_OUTCOME_MS, readSame } from "./idempotency.ts";
import { DEFAULT_MAILBOX, type MailboxBounds } from "./mailbox-bounds.ts";
import { type OutgoingMessage, Sender, type SenderOptions, type Verdict } from "./sender.ts";
import { Waiting } from "./waiting.ts";

export interface ProcessOptions {
  tags?: string[] | undefined;
  idleAfterMs?: number | "infinity" | undefined;
}

export interface StartRequest {
  module: string;
  key?: string | undefined;
  args?: unknown;
  ifExists: "error" | "return";
  options: ProcessOptions;
  idempotencyKey?: string | undefined;
  timeoutMs: number;
}

export interface Started {
  created: boolean;
  pid: string;
  status: ProcessStatus;
  messageId: string;
}

interface Sending {
  timeoutMs: number;
  idempotencyKey?: string | undefined;
}

/** What a turn asks of another process and waits for. A turn that runs again asks under the same id. */
export interface TurnRequest {
  id: string;
  timeoutMs: number;
  /** The processes whose turns wait, this one last. */
  chain: readonly Pid[];
  /** The trace context of the turn. */
  traceparent?: string | undefined;
}

interface Posting {
  delayMs: number;
  idempotencyKey?: string | undefined;
}

/** What a module's author has decided about its mailboxes. */
export interface MailboxRules {
  mailbox: MailboxBounds;
  onDemand: boolean;
}

export interface MessengerOptions extends SenderOptions {
  subscriber: Subscriber;
  clock: ClusterClock;
  /** Undefined for a module that is not known here. */
  rulesOf: (module: string) => MailboxRules | undefined;
  /** The trace context of what asks now, where that is not a turn. */
  traceparent?: () => string | undefined;
}

/** Longer than it takes until a turn whose node died has run again. */
const REPEATED_OUTCOME_MS = 3_600_000;
const DEFAULT_RULES: MailboxRules = { mailbox: DEFAULT_MAILBOX, onDemand: false };

export class Messenger implements Part {
  readonly #options: MessengerOptions;
  /** Where replies are sent: this boot, whatever becomes of its session. */
  readonly #address = randomBytes(8).toString("hex");
  readonly #sender: Sender;
  readonly #waiting: Waiting;

  constructor(options: MessengerOptions) {
    this.#options = options;
    this.#sender = new Sender(options);
    this.#waiting = new Waiting(options.link, options.keys);
  }

  async start(): Promise<void> {
    const { subscriber, keys, link } = this.#options;
    await subscriber.subscribe(keys.replyChannel(this.#address), (text) => this.#waiting.receive(text));
    subscriber.onGap(() => this.#waiting.lookForAll());
    link.onConnect(({ isSameServer }) => {
      if (!isSameServer) this.#waiting.noteServerChanged();
      setImmediate(() => this.#waiting.lookForAll());
    });
    this.#waiting.start();
  }

  async stop(): Promise<void> {
    this.#waiting.stop();
    await this.#options.subscriber.unsubscribe(this.#options.keys.replyChannel(this.#address));
  }

  async startProcess(request: StartRequest): Promise<Started> {
    const { module, args, ifExists, options, idempotencyKey, timeoutMs } = request;
    const key = request.key ?? (idempotencyKey === undefined ? randomKey() : deriveKey(module, idempotencyKey));
    const pid = toPid(module, key);
    const body = { args, ifExists, options };
    const message = this.#compose(pid, "start", JSON.stringify(args), { idempotencyKey, timeoutMs }, body);
    const optionsText = Object.keys(options).length > 0 ? JSON.stringify(options) : "";
    return await this.#begin(message, optionsText, ifExists, timeoutMs);
  }

  async #begin(
    message: OutgoingMessage,
    optionsText: string,
    ifExists: "error" | "return",
    timeoutMs: number,
  ): Promise<Started> {
    const { pid } = message;
    const send = () =>
      this.#options.link.run<Verdict>(
        "start",
        [this.#options.keys.process(message.partition, pid)],
        [this.#options.keys.base(message.partition), pid, message.id, message.envelope, message.hash, optionsText],
      );
    let initId = message.id;
    const outcome = await this.#exchange(message, send, timeoutMs, ([verdict, status, id]) => {
      if (verdict !== "exists") return;
      if (ifExists === "error") throw new ClusterError("already_started", `${pid} is already started`);
      if (status !== "starting" || !id) return { status: "done", reply: null };
      initId = id;
      return this.#waiting.poll(this.#partitionOf(id), id, timeoutMs);
    });
    readReply(outcome, initId);
    return { created: outcome.reply !== null && initId === message.id, pid, status: "idle", messageId: initId };
  }

  async call(pid: Pid, content: unknown, sending: Sending): Promise<{ reply: unknown; messageId: string }> {
    const message = this.#compose(pid, "call", JSON.stringify(content), sending, content);
    const outcome = await this.#exchange(message, () => this.#enqueue(message, true), sending.timeoutMs);
    return { reply: readReply(outcome, message.id), messageId: message.id };
  }

  async stopProcess(pid: Pid, reason: string, sending: Sending): Promise<{ reason: string }> {
    const message = this.#compose(pid, "stop", JSON.stringify({ reason }), sending, reason);
    const outcome = await this.#exchange(message, () => this.#enqueue(message, true), sending.timeoutMs);
    return readReply(outcome, message.id) as { reason: string };
  }

  /** A turn's call; `text` is the message's JSON text. */
  async callForTurn(pid: Pid, text: string, request: TurnRequest): Promise<unknown> {
    const message = this.#compose(pid, "call", text, request);
    const outcome = await this.#exchange(message, () => this.#enqueue(message, true), request.timeoutMs);
    return readReply(outcome, message.id);
  }

  /** A process that is there already counts as started. */
  async startForTurn(pid: Pid, argsText: string, optionsText: string, request: TurnRequest): Promise<void> {
    await this.#begin(this.#compose(pid, "start", argsText, request), optionsText, "return", request.timeoutMs);
  }

  async stopForTurn(pid: Pid, reason: string, request: TurnRequest): Promise<void> {
    const message = this.#compose(pid, "stop", JSON.stringify({ reason }), request);
    const outcome = await this.#exchange(message, () => this.#enqueue(message, true), request.timeoutMs);
    readReply(outcome, message.id);
  }

  cast(pid: Pid, content: unknown, posting: Posting): Promise<{ messageId: string }> {
    return this.#post("cast", pid, content, posting);
  }

  info(pid: Pid, content: unknown, posting: Posting): Promise<{ messageId: string }> {
    return this.#post("info", pid, content, posting);
  }

  /** Takes back a message that nobody has in hand yet. */
  async cancel(messageId: string): Promise<{ messageId: string; status: "dropped" }> {
    const { link, keys } = this.#options;
    const partition = partitionOfMessage(messageId);
    if (partition === undefined || partition >= keys.partitions) throw unknownMessage(messageId);
    const args = [keys.base(partition), messageId];
    const verdict = await this.#sender.repeat(
      () => link.run<string>("cancel", [keys.outcome(partition, messageId)], args),
      messageId,
    );
    if (verdict === "unknown") throw unknownMessage(messageId);
    if (verdict !== "dropped") {
      throw new ClusterError(
        "not_cancellable",
        `${messageId} is ${verdict === "running" ? "in hand, or a start" : "settled already"}`,
        messageId,
      );
    }
    return { messageId, status: "dropped" };
  }

  async #post(kind: "cast" | "info", pid: Pid, content: unknown, posting: Posting): Promise<{ messageId: string }> {
    const { delayMs, idempotencyKey } = posting;
    const text = JSON.stringify(content);
    const message = this.#compose(pid, kind, text, { idempotencyKey }, { content, delayMs }, delayMs);
    const verdict = await this.#sender.accept(message, () => this.#enqueue(message, false));
    if (verdict[0] === "known") readSame(verdict[1], message);
    return { messageId: message.id };
  }

  #compose(
    pid: Pid,
    kind: MessageKind,
    text: string | undefined,
    sending: Partial<Sending & TurnRequest>,
    hashed?: unknown,
    delayMs = 0,
  ): OutgoingMessage {
    const partition = this.#options.keys.partitionOf(pid);
    const { idempotencyKey, timeoutMs, id: givenId, chain } = sending;
    const traceparent = sending.traceparent ?? this.#options.traceparent?.();
    const isKeyed = idempotencyKey !== undefined;
    const id = givenId ?? (isKeyed ? deriveMessageId(partition, pid, kind, idempotencyKey) : newMessageId(partition));
    const hash = isKeyed ? hashOf(hashed) : "";
    const envelope = seal(text ?? "null", {
      replyTo: timeoutMs === undefined ? "" : this.#address,
      hash,
      keepMs: isKeyed ? KEYED_OUTCOME_MS : givenId ? REPEATED_OUTCOME_MS : OUTCOME_MS + (timeoutMs ?? 0),
      ...(kind === "call" && timeoutMs !== undefined && { deadline: this.#options.clock.now() + timeoutMs }),
      ...(chain && { chain }),
      traceparent,
    });
    return { pid, partition, id, kind, envelope, hash, delayMs, traceparent };
  }

  #enqueue(message: OutgoingMessage, needsWorker: boolean): Promise<Verdict> {
    const { link, keys } = this.#options;
    const { pid, partition, id, kind, envelope, hash, delayMs, traceparent } = message;
    const { mailbox, onDemand } = this.#options.rulesOf(moduleOf(pid)) ?? DEFAULT_RULES;
    const { messages, bytes } = kind === "stop" ? roomForStops(mailbox) : mailbox;
    const startId = onDemand && kind !== "stop" ? newMessageId(partition) : "";
    return link.run<Verdict>(
      "enqueue",
      [keys.process(partition, pid)],
      [
        keys.base(partition),
        pid,
        id,
        kind,
        envelope,
        hash,
        delayMs,
        messages,
        bytes,
        needsWorker ? 1 : 0,
        startId,
        startId && seal("null", { traceparent }),
      ],
    );
  }

  /** Sends a message and waits for its outcome. `decide` may settle it from the verdict. */
  async #exchange(
    message: OutgoingMessage,
    send: () => Promise<Verdict>,
    timeoutMs: number,
    decide?: (verdict: Verdict) => Outcome | Promise<Outcome> | undefined,
  ): Promise<Outcome> {
    const { partition, id } = message;
    const expectation = this.#waiting.expect(partition, id, timeoutMs, () => this.#sender.send(message, send));
    try {
      const accepted = this.#sender.accept(message, send);
      // The caller's time may be over, or the outcome there, before it is known that the message was accepted.
      accepted.catch(() => {});
      const verdict = await Promise.race([accepted, expectation.outcome]);
      if (!Array.isArray(verdict)) return verdict;
      expectation.accept();
      const decided = decide?.(verdict);
      if (decided) return await decided;
      if (verdict[0] === "known") {
        const outcome = readSame(verdict[1], message);
        return outcome ?? (await this.#waiting.poll(partition, id, timeoutMs));
      }
      return await expectation.outcome;
    } finally {
      expectation.forget();
    }
  }

  #partitionOf(messageId: string): number {
    const partition = partitionOfMessage(messageId);
    if (partition === undefined) throw unknownMessage(messageId);
    return partition;
  }
}

/** The reply in an outcome, or the error it carries, thrown. */
function readReply(outcome: Outcome, id: string): unknown {
  if (outcome.status === "done") return outcome.reply ?? null;
  const { code, detail } = outcome.error ?? { code: "internal_error", detail: `the message was ${outcome.status}` };
  throw new ClusterError(isErrorCode(code) ? code : "internal_error", detail, id);
}

function unknownMessage(id: string): ClusterError {
  return new ClusterError("unknown_message", `there is no message ${id}, or its outcome is no longer kept`);
}

/** A stop is taken by a full mailbox too: it is the way to empty it. */
function roomForStops({ messages, bytes }: MailboxBounds): MailboxBounds {
  return { messages: messages + 1_000, bytes: bytes * 2 };
}
