/**
 * The stream of one entity that is awake, whatever its kind: messages are handled strictly one after another, and no faster
 * than the backend takes the answers. It ends when the backend ends it, behind all that came before that; or with a failure
 * that says why, and then every command that has come in already is answered too.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { describeError } from "../describe-error.ts";
import type { Int64, WireCommand, WireFailure } from "./wire.ts";

export interface StreamIn {
  readonly command?: WireCommand | null;
}

export type StreamOut = { readonly reply: object } | { readonly failure: WireFailure };

export type EntityCall<In extends StreamIn> = ServerDuplexStream<In, StreamOut>;

/** Thrown by whoever handles a message: the stream is of no further use. */
export class StreamFailure extends Error {
  override name = "StreamFailure";
  /** 0 where no single command is to blame. */
  readonly commandId: Int64;

  constructor(description: string, commandId: Int64 = 0) {
    super(description);
    this.commandId = commandId;
  }
}

/** `handle` resolves to the answer, where there is one. Resolves when the stream has ended, and never rejects. */
export async function serveEntityStream<In extends StreamIn>(
  call: EntityCall<In>,
  handle: (message: In) => Promise<StreamOut | undefined>,
): Promise<void> {
  call.on("error", () => undefined);
  const messages = call.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const { done, value } = await messages.next();
      if (done) break;
      const answer = await handle(value);
      if (answer) await send(call, answer);
    }
  } catch (error) {
    if (!call.cancelled) await endWithFailure(call, messages, error);
  }
  if (!call.cancelled) call.end();
}

/** Resolves when there is room for the next answer, or nobody left to read it. */
async function send<In extends StreamIn>(call: EntityCall<In>, answer: StreamOut): Promise<void> {
  if (call.destroyed || call.write(answer)) return;
  await new Promise<void>((resolve) => {
    const goOn = () => {
      call.off("drain", goOn).off("close", goOn);
      resolve();
    };
    call.on("drain", goOn).on("close", goOn);
  });
}

async function endWithFailure<In extends StreamIn>(call: EntityCall<In>, messages: AsyncIterator<In>, error: unknown) {
  const commandId = error instanceof StreamFailure ? error.commandId : 0;
  const description = error instanceof Error ? error.message : describeError(error);
  await send(call, { failure: { commandId, description } });
  for await (const { command } of arrived(messages)) {
    if (!command) continue;
    await send(call, { failure: { commandId: command.id, description: `Entity terminated: ${description}` } });
  }
}

/** The messages that this machine has received already: until the event loop finds nothing new twice in a row. */
async function* arrived<Message>(messages: AsyncIterator<Message>): AsyncGenerator<Message> {
  for (let quietTurns = 0; quietTurns < 2; ) {
    const next = messages.next().catch(() => ({ done: true as const, value: undefined }));
    let found: IteratorResult<Message> | undefined;
    void next.then((result) => {
      found = result;
    });
    for (; !found && quietTurns < 2; quietTurns++) await nextTurn();
    if (!found || found.done) return;
    quietTurns = 0;
    yield found.value;
  }
}
