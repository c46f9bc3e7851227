/**
 * What the contract's cases need of whatever runs the modules, be it the test kit or a cluster. Failures are errors with the
 * cluster's `code`. And what the cases have in common.
 */

import assert from "node:assert/strict";
import type { From } from "genserverless";
import type { ActorState, Step } from "./actor.ts";

export interface Driver {
  /** Answers when the process has started. */
  start(module: string, fields: { key: string; args?: unknown; tags?: string[] }): Promise<string>;
  call(pid: string, message: unknown, options?: { timeoutMs?: number }): Promise<unknown>;
  cast(pid: string, message: unknown, options?: { delayMs?: number }): Promise<void>;
  info(pid: string, message: unknown): Promise<void>;
  stop(pid: string, reason?: string): Promise<void>;
  kill(pid: string): Promise<void>;
  pause(pid: string): Promise<void>;
  resume(pid: string): Promise<void>;
  unquarantine(pid: string): Promise<void>;
  /** Undefined where there is no such process. */
  status(pid: string): Promise<string | undefined>;
  /** The committed state, without a turn. */
  state(pid: string): Promise<unknown>;
  tags(pid: string): Promise<readonly string[]>;
  /** The newest first. */
  deadLetters(pid: string): Promise<{ kind: string; message: unknown; reason: string }[]>;
  /** The worker that runs the process dies; what it knew only itself is lost. */
  crash(pid: string): Promise<void>;
  /** Has the processes of the module `versioned` run by version 2 of it, soon. */
  upgrade(): Promise<void>;
  /** Lets time pass until the fact, which may assert, is there. */
  until(fact: () => Promise<void>): Promise<void>;
}

export interface Case {
  /** A fact, in the present tense. */
  name: string;
  run(driver: Driver): Promise<void>;
}

let count = 0;

/** A pid that nobody else has. */
export function fresh(module = "actor"): string {
  count += 1;
  return `${module}/case-${count}`;
}

/** Starts a process under a fresh key. */
export async function begin(driver: Driver, module = "actor", args?: unknown): Promise<string> {
  const pid = fresh(module);
  await startAs(driver, pid, args);
  return pid;
}

export async function startAs(driver: Driver, pid: string, args?: unknown): Promise<void> {
  const [module = "", key = ""] = pid.split("/");
  await driver.start(module, { key, ...(args !== undefined && { args }) });
}

/** Has an actor do something, in one turn; the result of the last step. */
export function order(driver: Driver, pid: string, ...run: Step[]): Promise<unknown> {
  return driver.call(pid, { run });
}

/** Has an actor do two turns, each of them committed, with nothing between: both are accepted before the first begins. */
export async function orderInTurn(driver: Driver, pid: string, first: Step[], second: Step[]): Promise<void> {
  const gate = await begin(driver);
  const wait: Step = { do: "call", pid: gate, message: { run: [{ do: "defer" }] } };
  await driver.pause(pid);
  for (const run of [first, [wait, ...second]]) await driver.cast(pid, { run });
  await driver.resume(pid);
  await driver.until(async () => assert.equal((await deferredBy(driver, gate)).length, 1));
  await order(driver, gate, { do: "answer", value: null });
}

/** What an actor has noted, as committed. */
export async function notesOf(driver: Driver, pid: string): Promise<unknown[]> {
  return ((await driver.state(pid)) as ActorState | undefined)?.notes ?? [];
}

/** Whom an actor still owes an answer, as committed. */
export async function deferredBy(driver: Driver, pid: string): Promise<From[]> {
  return ((await driver.state(pid)) as ActorState).deferred;
}

/** An actor notes just this, soon. */
export async function untilNotes(driver: Driver, pid: string, notes: unknown[]): Promise<void> {
  await driver.until(async () => assert.deepEqual(await notesOf(driver, pid), notes));
}

export async function untilStatus(driver: Driver, pid: string, status: string | undefined): Promise<void> {
  await driver.until(async () => assert.equal(await driver.status(pid), status));
}

/** Has time pass: a timer of another process has fired. */
export async function letPass(driver: Driver, ms: number): Promise<void> {
  const clock = await begin(driver);
  await order(driver, clock, { do: "sendAfter", ms, message: "now" });
  await untilNotes(driver, clock, [["info", "now"]]);
}

/** What one actor has sent to another so far – a monitor, a link – has arrived: it comes in order. */
export async function untilArrived(driver: Driver, from: string, to: string): Promise<void> {
  const mark = `mark of ${fresh()}`;
  await order(driver, from, { do: "cast", pid: to, message: { run: [{ do: "note", note: mark }] } });
  await driver.until(async () => assert.ok((await notesOf(driver, to)).includes(mark)));
}

/** A promise's error must carry this code. */
export async function assertFails(promise: Promise<unknown>, code: string, detail?: RegExp): Promise<void> {
  await assert.rejects(promise, (error: Error & { code?: string }) => {
    assert.equal(error.code, code);
    if (detail) assert.match(error.message, detail);
    return true;
  });
}
