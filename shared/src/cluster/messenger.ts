/**
 * The sender's side of a mailbox: accepts messages for processes and waits for their outcomes.
 *
 * A message is accepted by one script under an id that decides about duplicates, so sending may be repeated after a lost
 * answer. It is, for `LOST_ANSWER_MS`; then the caller is told `outcome_unknown`, with the id to ask for. An outcome comes
 * as a publication; as publications can be missed, whoever waits also looks for itself: after a gap in the subscription,
 * after each new connection, and every second. A message that Redis, restarted, no longer knows is sent again under the
 * same id.
 */

import { createHash, randomBytes, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { deriveMessageId, type MessageKind, newMessageId, partitionOfMessage } from "../process/message.ts";
import type { Outcome } from "../process/outcome.ts";
import { type Pid, toPid } from "../process/pid.ts";
import type { ProcessStatus } from "../process/status.ts";
import { AnswerLost, isReply, RedisDown, type RedisLink } from "../redis/connection.ts";
import { type Keys, moduleOf } from "../redis/keys.ts";
import type { Subscriber } from "../redis/subscriber.ts";
import { ClusterError, isErrorCode } from "../service/errors.ts";
import type { Part } from "../service/lifecycle.ts";
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

export interface MessengerOptions {
  link: RedisLink;
  subscriber: Subscriber;
  keys: Keys;
  /** Whether the module exists at all, even if nobody runs it now. */
  knowsModule: (module: string) => boolean;
  /** Whether Redis is too full to take more. */
  isStorageFull: () => boolean;
}

interface Message {
  pid: Pid;
  partition: number;
  id: string;
  kind: MessageKind;
  envelope: string;
  hash: string;
  delayMs: number;
}

type Verdict = [verdict: string, detail: string, initId?: string];

/** An outcome is kept for so long after its caller has stopped waiting for it. */
const OUTCOME_MS = 60_000;
const KEYED_OUTCOME_MS = 86_400_000;
const LOST_ANSWER_MS = 30_000;
const NO_WORKERS_GRACE_MS = 2_000;
/** How long a message waits for Redis before it is refused: longer than a connection takes to come back. */
const REDIS_GRACE_MS = 1_000;
const MOST_MESSAGES = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;
/** A stop is taken by a full mailbox too: it is the way to empty it. */
const ROOM_FOR_STOPS = 1_000;

export class Messenger implements Part {
  readonly #options: MessengerOptions;
  /** Where replies are sent: this boot, whatever becomes of its session. */
  readonly #address = randomBytes(8).toString("hex");
  readonly #waiting: Waiting;

  constructor(options: MessengerOptions) {
    this.#options = options;
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
    const verdict = await this.#repeat(
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
    const verdict = await this.#accept(message, () => this.#enqueue(message, false));
    if (verdict[0] === "known") readKnown(verdict[1], message);
    return { messageId: message.id };
  }

  #compose(
    pid: Pid,
    kind: MessageKind,
    content: unknown,
    sending: Partial<Sending>,
    hashed: unknown,
    delayMs = 0,
  ): Message {
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

  #enqueue(message: Message, needsWorker: boolean): Promise<Verdict> {
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
    message: Message,
    send: () => Promise<Verdict>,
    timeoutMs: number,
    decide?: (verdict: Verdict) => Outcome | Promise<Outcome> | undefined,
  ): Promise<Outcome> {
    const { partition, id } = message;
    const expectation = this.#waiting.expect(partition, id, timeoutMs, () => this.#send(message, send));
    try {
      const verdict = await this.#accept(message, send);
      expectation.accept();
      const decided = decide?.(verdict);
      if (decided) return await decided;
      if (verdict[0] === "known") {
        const outcome = readKnown(verdict[1], message);
        return outcome ?? (await this.#waiting.poll(partition, id, timeoutMs));
      }
      return await expectation.outcome;
    } finally {
      expectation.forget();
    }
  }

  /** As `#send`, where there is room; what is known already needs none. */
  async #accept(message: Message, send: () => Promise<Verdict>): Promise<Verdict> {
    if (!this.#options.isStorageFull()) return await this.#send(message, send);
    const known = message.hash ? await this.#findKnown(message) : null;
    if (known === null) throw new ClusterError("storage_full", "Redis is nearly full; try again later");
    return ["known", known];
  }

  async #findKnown({ partition, id }: Message): Promise<string | null> {
    const { link, keys } = this.#options;
    return await this.#repeat(() => link.call<string | null>("get", keys.outcome(partition, id)), id);
  }

  /** Sends until it is known what became of it; refusals are thrown. */
  async #send(message: Message, send: () => Promise<Verdict>): Promise<Verdict> {
    const graceEnds = Date.now() + NO_WORKERS_GRACE_MS;
    for (;;) {
      const verdict = await this.#repeat(send, message.id);
      if (verdict[0] !== "no_workers") return this.#checkVerdict(verdict, message);
      const module = moduleOf(message.pid);
      if (!this.#options.knowsModule(module))
        throw new ClusterError("unknown_module", `there is no module "${module}"`);
      if (Date.now() > graceEnds) throw new ClusterError("no_workers", `no live worker runs the module "${module}"`);
      await sleep(100);
    }
  }

  #checkVerdict(verdict: Verdict, { pid, id }: Message): Verdict {
    switch (verdict[0]) {
      case "no_process":
        throw new ClusterError("no_process", `there is no process ${pid}`);
      case "mailbox_full":
        throw new ClusterError("mailbox_full", `the mailbox of ${pid} is full`);
      case "queued":
      case "known":
      case "exists":
        return verdict;
      default:
        throw new ClusterError("internal_error", `unexpected verdict ${verdict[0]}`, id);
    }
  }

  async #repeat<T>(send: () => Promise<T>, id: string): Promise<T> {
    const until = Date.now() + LOST_ANSWER_MS;
    const graceEnds = Date.now() + REDIS_GRACE_MS;
    for (let wasSent = false; ; ) {
      try {
        return await send();
      } catch (error) {
        // A message whose first answer was lost may have been accepted before Redis was full.
        const isFull = isReply(error, "OOM");
        if (isFull && !wasSent) throw new ClusterError("storage_full", "Redis is full; try again later");
        if (error instanceof AnswerLost) wasSent = true;
        else if (!isFull && !(error instanceof RedisDown)) throw error;
        if (!wasSent && Date.now() > graceEnds) throw new ClusterError("redis_unavailable", "Redis cannot be reached");
        if (Date.now() > until) {
          throw new ClusterError("outcome_unknown", `whether ${id} was accepted is not known`, id);
        }
        await Promise.race([this.#options.link.untilUp(), sleep(REDIS_GRACE_MS, undefined, { ref: false })]);
        await sleep(randomInt(1, 20));
      }
    }
  }

  #partitionOf(messageId: string): number {
    const partition = partitionOfMessage(messageId);
    if (partition === undefined) throw unknownMessage(messageId);
    return partition;
  }
}

/** The outcome of a message that was known already, or undefined while it waits. Throws where the body differs. */
function readKnown(known: string, { hash, id }: Message): Outcome | undefined {
  const [kind, earlierHash] = known.split("|", 2);
  if (hash && earlierHash !== hash) {
    throw new ClusterError("idempotency_conflict", "the Idempotency-Key was used with another body", id);
  }
  if (kind !== "o") return undefined;
  return JSON.parse(known.slice(3 + (earlierHash?.length ?? 0))) as Outcome;
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

const KEY_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const KEY_LENGTH = 16;

function randomKey(): string {
  return Array.from({ length: KEY_LENGTH }, () => KEY_CHARACTERS[randomInt(KEY_CHARACTERS.length)]).join("");
}

function deriveKey(module: string, idempotencyKey: string): string {
  const bytes = createHash("sha256")
    .update(JSON.stringify([module, idempotencyKey]))
    .digest();
  return Array.from(bytes.subarray(0, KEY_LENGTH), (byte) => KEY_CHARACTERS[byte % KEY_CHARACTERS.length]).join("");
}
