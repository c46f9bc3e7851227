/**
 * The sender's side of a mailbox: composes messages for processes, has them sent, and waits for their outcomes.
 *
 * An outcome comes as a publication; as publications can be missed, whoever waits also looks for itself: after a gap in the
 * subscription, after each new connection, and every second. A message that Redis, restarted, no longer knows is sent
 * again under the same id.
 */

import { createHash, randomBytes } from "node:crypto";
import { deriveKey, randomKey } from "../process/key.ts";
import { deriveMessageId, type MessageKind, newMessageId, partitionOfMessage } from "../process/message.ts";
import { type Outcome, readKnown } from "../process/outcome.ts";
import { type Pid, toPid } from "../process/pid.ts";
import type { ProcessStatus } from "../process/status.ts";
import type { Subscriber } from "../redis/subscriber.ts";
import { ClusterError, isErrorCode } from "../service/errors.ts";
import type { Part } from "../service/lifecycle.ts";
import { type OutgoingMessage, Sender, type SenderOptions, type Verdict } from "./sender.ts";
import { Waiting } from "./waiting.ts";

export interface ProcessOptions {
  tags?: string[] | undefined;
  idleAfterMs?: number | undefined;
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

interface Posting {
  delayMs: number;
  idempotencyKey?: string | undefined;
}

export interface MessengerOptions extends SenderOptions {
  subscriber: Subscriber;
}

/** An outcome is kept for so long after its caller has stopped waiting for it. */
const OUTCOME_MS = 60_000;
const KEYED_OUTCOME_MS = 86_400_000;
const MOST_MESSAGES = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;
/** A stop is taken by a full mailbox too: it is the way to empty it. */
const ROOM_FOR_STOPS = 1_000;

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
    const message = this.#compose(pid, "start", args, { idempotencyKey, timeoutMs }, body);
    const optionsText = Object.keys(options).length > 0 ? JSON.stringify(options) : "";
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
    const message = this.#compose(pid, "call", content, sending, content);
    const outcome = await this.#exchange(message, () => this.#enqueue(message, true), sending.timeoutMs);
    return { reply: readReply(outcome, message.id), messageId: message.id };
  }

  async stopProcess(pid: Pid, reason: string, sending: Sending): Promise<{ reason: string }> {
    const message = this.#compose(pid, "stop", { reason }, sending, reason);
    const outcome = await this.#exchange(message, () => this.#enqueue(message, true), sending.timeoutMs);
    return readReply(outcome, message.id) as { reason: string };
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
    const message = this.#compose(pid, kind, content, { idempotencyKey }, { content, delayMs }, delayMs);
    const verdict = await this.#sender.accept(message, () => this.#enqueue(message, false));
    if (verdict[0] === "known") readSame(verdict[1], message);
    return { messageId: message.id };
  }

  #compose(
    pid: Pid,
    kind: MessageKind,
    content: unknown,
    sending: Partial<Sending>,
    hashed: unknown,
    delayMs = 0,
  ): OutgoingMessage {
    const partition = this.#options.keys.partitionOf(pid);
    const { idempotencyKey } = sending;
    const isKeyed = idempotencyKey !== undefined;
    const id = isKeyed ? deriveMessageId(partition, pid, kind, idempotencyKey) : newMessageId(partition);
    const hash = isKeyed ? hashOf(hashed) : "";
    const replyTo = sending.timeoutMs === undefined ? "" : this.#address;
    const keepMs = isKeyed ? KEYED_OUTCOME_MS : OUTCOME_MS + (sending.timeoutMs ?? 0);
    const envelope = `{"f":"${replyTo}","h":"${hash}","k":${keepMs},"m":${JSON.stringify(content) ?? "null"}}`;
    return { pid, partition, id, kind, envelope, hash, delayMs };
  }

  #enqueue(message: OutgoingMessage, needsWorker: boolean): Promise<Verdict> {
    const { link, keys } = this.#options;
    const { pid, partition, id, kind, envelope, hash, delayMs } = message;
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
        kind === "stop" ? MOST_MESSAGES + ROOM_FOR_STOPS : MOST_MESSAGES,
        kind === "stop" ? MOST_BYTES * 2 : MOST_BYTES,
        needsWorker ? 1 : 0,
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

/** The outcome of a message that was known already, or undefined while it waits. Throws where the body differs. */
function readSame(text: string, { hash, id }: OutgoingMessage): Outcome | undefined {
  const known = readKnown(text);
  if (hash && known.hash !== hash) {
    throw new ClusterError("idempotency_conflict", "the Idempotency-Key was used with another body", id);
  }
  return known.outcome;
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

function hashOf(content: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(content) ?? "")
    .digest("base64url")
    .slice(0, 22);
}
