/**
 * Hands a request to a function's sandbox and its answer back, both as streams. The time that a function has begins when
 * a sandbox takes the request and ends with the last byte of the answer. What may go wrong:
 *
 * - no answer in time: the sandbox is ended, and the caller gets 504, or an answer that breaks off;
 * - the sandbox ends before it has answered: 502, or an answer that breaks off;
 * - the caller leaves: where its whole request was taken the function may finish; else the sandbox is ended.
 */

import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Figures, type Outcome, outcomeOfRefusal } from "../pool/figures.ts";
import type { FoundFunction } from "../pool/pools.ts";
import { Problem } from "../problems.ts";
import { describeEnd, type Sandbox } from "../sandbox/sandbox.ts";
import { answerHeaders, requestHeaders } from "./headers.ts";

/** How long a caller may go on sending what the function has no use for, having answered. */
const REST_MS = 5_000;

interface Exchange {
  found: FoundFunction;
  sandbox: Sandbox;
  isCold: boolean;
  req: IncomingMessage;
  res: ServerResponse;
  /** Path and query as the function sees them. */
  path: string;
}

/** Resolves when the exchange is over, and counts it. Throws a Problem while nothing has been answered. */
export async function runHttp(
  found: FoundFunction,
  figures: Figures,
  { req, res, path }: Pick<Exchange, "req" | "res" | "path">,
): Promise<void> {
  const { target, pool } = found;
  const note = (outcome: Outcome, ms: number) => figures.noteInvocation(target.project, target.name, outcome, ms);
  const { sandbox, isCold } = await pool.acquire().catch((error: unknown) => {
    note(outcomeOfRefusal(error), 0);
    throw error;
  });
  const startedAt = performance.now();
  try {
    const outcome = await exchange({ found, sandbox, isCold, req, res, path });
    note(outcome, performance.now() - startedAt);
    pool.release(sandbox);
  } catch (error) {
    sandbox.end("abandoned");
    note(
      error instanceof Problem && error.code === "function_timeout" ? "timeout" : "died",
      performance.now() - startedAt,
    );
    throw error;
  }
}

async function exchange({ found, sandbox, isCold, req, res, path }: Exchange): Promise<Outcome> {
  const { timeoutMs, name } = found.spec;
  const headers = requestHeaders(req);
  const forwarded = sandbox.request({ method: req.method ?? "GET", path, headers });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    sandbox.end("timeout");
  }, timeoutMs);
  try {
    sendBody(req, forwarded, sandbox);
    const answer = await takeAnswer(forwarded);
    // Node takes an answer to HEAD that has no length for one that ends with its connection.
    if (req.method === "HEAD") forwarded.shouldKeepAlive = true;
    if (answer.headers["x-function-threw"] !== undefined) {
      sendProblem(res, new Problem("function_threw", `${name}: ${await readWords(answer)}`));
    } else {
      const more = ["x-function-cold-start", isCold ? "1" : "0", "x-function-timeout-ms", String(timeoutMs)];
      await passOn(answer, res, more);
    }
    clearTimeout(timer);
    if (!forwarded.writableFinished) await sendRest(req, forwarded, sandbox);
    return (answer.statusCode ?? 500) >= 500 ? "failed" : "completed";
  } catch (error) {
    throw await explain({ error, sandbox, name, isLate, timeoutMs, res });
  } finally {
    clearTimeout(timer);
  }
}

export function sendProblem(res: ServerResponse, problem: Problem): void {
  if (res.headersSent || res.destroyed) return void res.destroy();
  const body = JSON.stringify(problem.toDocument());
  const headers: Record<string, string | number> = {
    "content-type": "application/problem+json",
    "content-length": Buffer.byteLength(body),
    "x-function-problem": problem.code,
  };
  if (problem.status === 429 || problem.status === 503) headers["retry-after"] = 1;
  if (problem.status === 401) headers["www-authenticate"] = 'Bearer realm="functions"';
  res.writeHead(problem.status, headers).end(body);
}

function sendBody(req: IncomingMessage, forwarded: ClientRequest, sandbox: Sandbox): void {
  if (req.headers["content-length"] === undefined && req.headers["transfer-encoding"] === undefined) {
    forwarded.end();
    return;
  }
  // A request that breaks off can never be finished.
  req.once("close", () => req.complete || sandbox.end("abandoned"));
  req.on("error", () => {});
  req.pipe(forwarded);
}

function takeAnswer(forwarded: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    forwarded.once("response", resolve).on("error", reject);
  });
}

/** Resolves at the end of the answer; one that nobody waits for any more is read and forgotten. */
async function passOn(answer: IncomingMessage, res: ServerResponse, more: string[]): Promise<void> {
  const ended = new Promise<void>((resolve, reject) => {
    answer.once("end", resolve).once("error", reject);
  });
  const headers = answerHeaders(answer);
  headers.push(...more);
  if (res.destroyed) answer.resume();
  else if (answer.complete) sendWhole(answer, res, headers);
  else sendStream(answer, res, headers);
  await ended;
}

/** What has come in one piece goes in one piece. */
function sendWhole(answer: IncomingMessage, res: ServerResponse, headers: string[]): void {
  const { statusCode = 502, statusMessage } = answer;
  const body = answer.read() as Buffer | null;
  const hasBody = res.req.method !== "HEAD" && statusCode !== 204 && statusCode !== 304;
  if (hasBody && answer.headers["content-length"] === undefined)
    headers.push("content-length", String(body?.length ?? 0));
  res.writeHead(statusCode, statusMessage, headers).end(body ?? undefined);
  answer.resume();
}

function sendStream(answer: IncomingMessage, res: ServerResponse, headers: string[]): void {
  res.on("error", () => {});
  res.once("close", () => {
    answer.unpipe(res);
    answer.resume();
  });
  res.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers);
  // Whoever takes its time to say more has said this.
  res.flushHeaders();
  answer.pipe(res);
}

/**
 * What the function left of its request the runner reads and forgets. A caller that does not come to its end leaves a
 * connection that is of no further use.
 */
async function sendRest(req: IncomingMessage, forwarded: ClientRequest, sandbox: Sandbox): Promise<void> {
  // Node tells a request whose answer has ended no more that its connection takes more.
  const goOn = () => forwarded.emit("drain");
  const { socket } = forwarded;
  socket?.on("drain", goOn);
  if (!socket?.writableNeedDrain) goOn();
  const sent = new Promise<void>((resolve) => forwarded.once("finish", resolve).once("close", resolve));
  await Promise.race([sent, sleep(REST_MS, undefined, { ref: false })]);
  socket?.off("drain", goOn);
  if (forwarded.writableFinished) return;
  req.unpipe(forwarded);
  req.resume();
  sandbox.end("abandoned");
}

async function readWords(answer: IncomingMessage): Promise<string> {
  let words = "";
  for await (const chunk of answer) if (words.length < 1_000) words += String(chunk);
  return words;
}

interface Trouble {
  error: unknown;
  sandbox: Sandbox;
  name: string;
  isLate: boolean;
  timeoutMs: number;
  res: ServerResponse;
}

async function explain({ error, sandbox, name, isLate, timeoutMs, res }: Trouble): Promise<Problem> {
  // What was begun cannot be taken back; whoever reads it must see that it is not whole.
  if (res.headersSent) res.destroy();
  if (isLate) return new Problem("function_timeout", `${name} took longer than ${timeoutMs} ms`);
  const { code } = error as NodeJS.ErrnoException;
  if (code?.startsWith("HPE_")) {
    sandbox.end("abandoned");
    return new Problem("bad_answer", `${name}: ${(error as Error).message}`);
  }
  sandbox.end("abandoned");
  const end = await sandbox.ended;
  return new Problem("function_died", `${name}: ${describeEnd(end)}`, {
    reason: end.reason ?? "died",
  });
}
