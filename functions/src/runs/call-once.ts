/** Calls a cron or event function once, in a sandbox that is the caller's. */

import type { IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { Problem } from "../problems.ts";
import type { RunAnswer } from "../runtime/runner.ts";
import { describeEnd, type Sandbox } from "../sandbox/sandbox.ts";

export interface CallEnd {
  status: "completed" | "failed" | "timeout" | "died";
  /** Of a call that did not complete. */
  error?: string;
}

const LONGEST_ANSWER_BYTES = 64 * 1_024;

/** Never rejects: whatever goes wrong is how the call went. */
export async function callOnce(sandbox: Sandbox, timeoutMs: number, event: unknown): Promise<CallEnd> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    sandbox.end("timeout");
  }, timeoutMs);
  try {
    return await exchange(sandbox, event);
  } catch (error) {
    if (isLate) return { status: "timeout", error: `it took longer than ${timeoutMs} ms` };
    sandbox.end("abandoned");
    const end = await sandbox.ended;
    const isKnown = end.reason || end.code !== null || end.signal;
    return { status: "died", error: isKnown ? describeEnd(end) : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

async function exchange(sandbox: Sandbox, event: unknown): Promise<RunAnswer> {
  const body = JSON.stringify({ event });
  const headers = { "content-length": Buffer.byteLength(body) };
  const sent = sandbox.request({ method: "POST", path: "/", headers });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once("response", resolve).on("error", reject);
  });
  sent.end(body);
  const answer = await answered;
  let bytes = 0;
  answer.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LONGEST_ANSWER_BYTES) sandbox.end("abandoned");
  });
  const { status, error } = (await json(answer)) as Partial<RunAnswer>;
  if (status !== "completed" && status !== "failed") throw new Problem("bad_answer", "what it said is no answer");
  return { status, ...(typeof error === "string" && { error: error.slice(0, 4_000) }) };
}
