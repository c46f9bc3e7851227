/**
 * The stream of one entity that is awake:
 *
 *     new ──begin──► open ──command──► asked ──its reply──► open …
 *                      └──────────┬──────┘
 *      the stream breaks, the protocol is broken, no reply in time, or close
 *                                 ▼
 *                              broken, for good
 *
 * One command at a time, each with the next id. Nothing is buffered without bound: what is written waits for room, and
 * anything that is said while no command is under way breaks the protocol, and so ends the stream.
 */

import { once } from "node:events";
import type { Connection, DuplexStream } from "../user-function/connection.ts";
import type { AnyValue } from "../user-function/wire.ts";
import type { Beginning, Command, Dialect, Said } from "./dialects.ts";

export type Answer = Extract<Said, { kind: "reply" | "failure" }>;

/** The stream is of no further use. */
export class StreamBroken extends Error {
  override name = "StreamBroken";
  /** What happened, for the log. */
  readonly details: string;

  /** `message` is for the caller. */
  constructor(message: string, details: string) {
    super(message);
    this.details = details;
  }
}

export const TERMINATED = "Unexpected entity termination";
export const TIMED_OUT = "The user function did not answer in time";

/** For a user function to end its side of a stream that was closed. */
const END_WITHIN_MS = 5_000;

interface Asked {
  id: number;
  answer: PromiseWithResolvers<Answer>;
}

export class EntityStream {
  readonly #connection: Connection;
  readonly #dialect: Dialect;
  readonly #onBroken: (details: string) => void;
  #stream: DuplexStream<object, object> | undefined;
  #asked: Asked | undefined;
  #lastId = 0;
  #broken: StreamBroken | undefined;
  readonly #end = new AbortController();

  /** `onBroken` hears why it is of no further use, unless it was closed. */
  constructor(connection: Connection, dialect: Dialect, onBroken: (details: string) => void) {
    this.#connection = connection;
    this.#dialect = dialect;
    this.#onBroken = onBroken;
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  /** Opens the stream and says what the entity begins with. What comes of it shows with the first command. */
  async begin(beginning: Beginning, withinMs: number): Promise<void> {
    const stream = this.#connection.open(this.#dialect.stream);
    this.#stream = stream;
    stream.on("data", (said: object) => this.#hear(said));
    stream.on("error", (error: Error) => this.#break(TERMINATED, error.message));
    stream.on("end", () => this.#break(TERMINATED, "the user function ended the stream"));
    await this.#write(this.#dialect.begin(beginning), withinMs);
  }

  async replay(sequence: number, payload: AnyValue, withinMs: number): Promise<void> {
    const message = this.#dialect.event?.(sequence, payload);
    if (message) await this.#write(message, withinMs);
  }

  /** Rejects with StreamBroken. */
  async ask(command: Omit<Command, "id">, withinMs: number): Promise<Answer> {
    if (this.#broken) throw this.#broken;
    const id = ++this.#lastId;
    const asked: Asked = { id, answer: Promise.withResolvers<Answer>() };
    // It may be rejected while the command is still being written.
    asked.answer.promise.catch(() => {});
    this.#asked = asked;
    const timer = setTimeout(
      () => this.#break(TIMED_OUT, `no answer to command ${id} within ${withinMs} ms`),
      withinMs,
    );
    try {
      await this.#write(this.#dialect.command({ ...command, id }), withinMs);
      return await asked.answer.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The user function sees the stream end, as for an entity that is put to sleep. Safe twice. */
  close(): void {
    const stream = this.#stream;
    const isInUse = this.#asked !== undefined;
    if (this.#broken) return;
    this.#fail(new StreamBroken(TERMINATED, "the entity has left this node"));
    if (!stream) return;
    if (isInUse) {
      stream.cancel();
      return;
    }
    stream.end();
    const timer = setTimeout(() => stream.cancel(), END_WITHIN_MS).unref();
    stream.once("status", () => clearTimeout(timer));
  }

  /** Breaks the stream because of what the user function did. */
  violate(what: string): StreamBroken {
    this.#break(this.#dialect.describeViolation(what), what);
    return this.#broken as StreamBroken;
  }

  /** Waits for room. A stream that has none for too long is broken. */
  async #write(message: object, withinMs: number): Promise<void> {
    const stream = this.#stream;
    if (!stream || this.#broken || stream.write(message)) return;
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(withinMs), this.#end.signal]);
      await once(stream, "drain", { signal });
    } catch {
      this.#break(TERMINATED, `the user function did not read for ${withinMs} ms`);
    }
  }

  #hear(message: object): void {
    if (this.#broken) return;
    const said = this.#dialect.read(message);
    const asked = this.#asked;
    if (said.kind === "nothing") return void this.violate("Empty message received from user function");
    const what = said.kind;
    const { commandId } = said;
    if (what === "failure" && commandId === 0) {
      return void this.violate(`Non command specific error from entity: ${said.description}`);
    }
    if (!asked) return void this.violate(`Unexpected ${what}, had no current command`);
    if (commandId !== asked.id) {
      return void this.violate(`Incorrect command id in ${what}, expecting ${asked.id} but got ${commandId}`);
    }
    this.#asked = undefined;
    asked.answer.resolve(said);
  }

  #break(message: string, details: string): void {
    if (this.#broken) return;
    this.#fail(new StreamBroken(message, details));
    this.#stream?.cancel();
    this.#onBroken(details);
  }

  #fail(broken: StreamBroken): void {
    this.#broken = broken;
    this.#end.abort();
    this.#asked?.answer.reject(broken);
    this.#asked = undefined;
  }
}
