/** A stream of events that is printed. While it is followed, a connection that breaks is made anew, after the last event that was told. */

import { setTimeout as sleep } from "node:timers/promises";
import type { ServerEvent } from "./event-stream.ts";
import { describeFailure, EXIT_CODES } from "./failure.ts";
import { escapeText } from "./json-text.ts";
import type { Session } from "./session.ts";

const PAUSES_MS = [200, 500, 1_000, 2_000, 5_000];

/** What is not followed ends with the stream; it ends too where `tell` says "over", and with what `tell` throws. */
export async function readStream(
  session: Session,
  path: string,
  isFollowed: boolean,
  tell: (event: ServerEvent) => unknown,
): Promise<void> {
  const { output } = session;
  let wasOpen = false;
  let lastEventId: string | undefined;
  let failures = 0;
  do {
    try {
      const events = await session.door.openEvents(path, lastEventId);
      wasOpen = true;
      failures = 0;
      for await (const event of events) {
        lastEventId = event.id ?? lastEventId;
        if (tell(event) === "over") return;
        await output.drained();
      }
    } catch (error) {
      const { line, exitCode } = describeFailure(session.explain(error));
      if (!isFollowed || !wasOpen || exitCode !== EXIT_CODES.unreachable) throw error;
      if (failures === 0) output.note(`genserverless: ${escapeText(line)}; trying again`);
    }
    if (isFollowed) await sleep(PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)]);
  } while (isFollowed);
}
