/** Answers that go on begin in one way: with what they follow, and only then with 200. */

import type { EventStream, StreamedEvent } from "@genserverless/shared/service/event-stream.ts";
import type { Answer } from "../respond.ts";

export interface Teller {
  send(event: StreamedEvent): void;
  /** Nothing comes any more. */
  end(): void;
  /** Resolves when the reader has taken most of what was sent, or has left. */
  drained(): Promise<void>;
}

type Telling = (stream: EventStream) => void;

/**
 * `follow` begins to tell and resolves to what ends that, which is called when the reader has left. What it tells before is
 * kept and sent first; where it rejects, the error is the answer.
 */
export async function streamFrom(follow: (teller: Teller) => Promise<() => void>): Promise<Answer> {
  const early: Telling[] = [];
  let tell = (telling: Telling): void => void early.push(telling);
  const begun = Promise.withResolvers<EventStream>();
  const leave = await follow({
    send: (event) => tell((stream) => stream.send(event)),
    end: () => tell((stream) => stream.end()),
    drained: async () => (await begun.promise).drained(),
  });
  return {
    status: 200,
    stream(stream) {
      stream.onClose(leave);
      tell = (telling) => telling(stream);
      for (const telling of early) telling(stream);
      begun.resolve(stream);
    },
  };
}
