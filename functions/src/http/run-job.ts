/** Runs a cron or event function once, and says how it went when it is over. */

import type { IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import type { Figures, Outcome } from "../pool/figures.ts";
import type { FoundFunction } from "../pool/pools.ts";
import { Problem } from "../problems.ts";
import type { RunAnswer } from "../runtime/runner.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { describeEnd, outcomeOfRefusal } from "./run-http.ts";

export interface JobReport {
  status: Extract<Outcome, "completed" | "failed" | "timeout" | "died" | "not_started">;
  /** From when its sandbox had it, in ms. */
  durationMs: number;
  coldStart: boolean;
  /** Of a run that did not complete. */
  error?: string;
}

const LONGEST_ANSWER_BYTES = 64 * 1_024;

/** Throws `queue_full`, `queue_timeout`, `no_capacity`: it has not run. */
export async function runJob(found: FoundFunction, figures: Figures, event: unknown): Promise<JobReport> {
  const { target, pool, spec } = found;
  const note = (outcome: Outcome, ms: number) => figures.noteInvocation(target.project, target.name, outcome, ms);
  const lease = await pool.acquire().catch((error: unknown) => {
    const outcome = outcomeOfRefusal(error);
    note(outcome, 0);
    if (outcome === "not_started") return (error as Problem).message;
    throw error;
  });
  if (typeof lease === "string") return { status: "not_started", durationMs: 0, coldStart: true, error: lease };
  const { sandbox, isCold } = lease;
  const startedAt = performance.now();
  const outcome = await ask(sandbox, spec.timeoutMs, event);
  const durationMs = Math.round((performance.now() - startedAt) * 10) / 10;
  note(outcome.status, durationMs);
  pool.release(sandbox);
  return { ...outcome, durationMs, coldStart: isCold };
}

async function ask(sandbox: Sandbox, timeoutMs: number, event: unknown): Promise<Pick<JobReport, "status" | "error">> {
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
    const { reason, code, signal } = await sandbox.ended;
    const words = reason || code !== null || signal ? describeEnd(reason, code, signal) : String(error);
    return { status: "died", error: words };
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
