/**
 * The sandboxes that this node has for itself. One is asked for when a function was invoked twice in short order: requests
 * after that go straight to it. It is given back when it has not been used for a while, and whenever the service wants it.
 */

import { Agent, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { FunctionsAccess } from "@genserverless/shared/functions/access.ts";
import { isPidPart } from "@genserverless/shared/process/pid.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Client } from "undici";
import { Lease } from "./lease.ts";

interface Wanted {
  /** The one used last at the end. */
  idle: Lease[];
  lastAt: number;
  isAsking: boolean;
  notBefore: number;
}

/** Two requests within this time make it worth while. */
const SHORT_ORDER_MS = 1_000;
const IDLE_MS = 2_000;
const LOOK_EVERY_MS = 500;
const GIVEN_BACK_WITHIN_MS = 1_000;
const ASK_WITHIN_MS = 5_000;
/** Where there was none to be had. */
const AGAIN_AFTER_MS = 50;
/** Where it cannot be reached, or the service grants none. */
const REFUSED_AGAIN_AFTER_MS = 30_000;

export class Leases implements Part {
  readonly #access: FunctionsAccess | undefined;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #wanted = new Map<string, Wanted>();
  readonly #all = new Set<Lease>();
  #Client: typeof Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(access: FunctionsAccess | undefined) {
    this.#access = access;
  }

  async start(): Promise<void> {
    if (!this.#access) return;
    this.#Client = (await import("undici")).Client;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  /** Gives all of them back. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    const all = [...this.#all];
    for (const lease of all) lease.stop();
    // What they say last is to arrive: a sandbox that nobody gives back is ended.
    const over = Promise.all(all.map((lease) => lease.over));
    await Promise.race([over, sleep(GIVEN_BACK_WITHIN_MS, undefined, { ref: false })]);
    this.#agent.destroy();
  }

  /** Whether there is one that is free. */
  has(project: string, name: string): boolean {
    return (this.#wanted.get(`${project}/${name}`)?.idle.length ?? 0) > 0;
  }

  /** One for a request to a function, which gives it back. */
  take(project: string, name: string): Lease | undefined {
    const lease = this.#wanted.get(`${project}/${name}`)?.idle.pop();
    lease?.take();
    return lease;
  }

  /** After a request with it. */
  giveBack(project: string, name: string, lease: Lease): void {
    const wanted = this.#wanted.get(`${project}/${name}`);
    if (lease.isStopped || !wanted) return;
    wanted.lastAt = performance.now();
    wanted.idle.push(lease);
  }

  /** A sandbox cannot be reached from here. */
  giveUp(project: string, name: string): void {
    const wanted = this.#wanted.get(`${project}/${name}`);
    if (wanted) wanted.notBefore = performance.now() + REFUSED_AGAIN_AFTER_MS;
  }

  /** A request went through the service: the function is in use, and its sandbox is idle now. */
  noteRelayed(project: string, name: string): void {
    // What cannot be a name is no part of a path either: its answer was the service's refusal.
    if (!isPidPart(project) || !isPidPart(name)) return;
    const now = performance.now();
    const key = `${project}/${name}`;
    const wanted = this.#wanted.get(key);
    if (!wanted) {
      this.#wanted.set(key, { idle: [], lastAt: now, isAsking: false, notBefore: 0 });
      return;
    }
    const isInShortOrder = now - wanted.lastAt < SHORT_ORDER_MS;
    wanted.lastAt = now;
    if (isInShortOrder && !wanted.isAsking && now >= wanted.notBefore && !this.#isStopped) this.#ask(key, wanted);
  }

  #ask(key: string, wanted: Wanted): void {
    const Client = this.#Client;
    if (!this.#access || !Client) return;
    const { url, token } = this.#access;
    wanted.isAsking = true;
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/x-ndjson" };
    const asked = request(new URL(`/v1/leases/${key}`, url), { method: "POST", headers, agent: this.#agent });
    const settle = (afterMs: number) => {
      clearTimeout(late);
      wanted.isAsking = false;
      wanted.notBefore = Math.max(wanted.notBefore, performance.now() + afterMs);
    };
    const late = setTimeout(() => asked.destroy(), ASK_WITHIN_MS);
    asked.on("error", () => settle(REFUSED_AGAIN_AFTER_MS));
    asked.on("response", (answer: IncomingMessage) => {
      answer.on("error", () => {});
      if (answer.statusCode !== 200) {
        settle(answer.statusCode === 204 ? AGAIN_AFTER_MS : REFUSED_AGAIN_AFTER_MS);
        answer.resume();
        asked.end();
        return;
      }
      settle(0);
      const onStopped = (lease: Lease) => {
        this.#all.delete(lease);
        const index = wanted.idle.indexOf(lease);
        if (index >= 0) wanted.idle.splice(index, 1);
      };
      const lease = new Lease({ asked, answer, Client, onStopped });
      this.#all.add(lease);
      wanted.idle.push(lease);
      if (this.#isStopped) lease.stop();
    });
    asked.flushHeaders();
  }

  #look(): void {
    const now = performance.now();
    for (const [key, { idle, lastAt, isAsking }] of this.#wanted) {
      for (const lease of idle.filter(({ idleSince }) => now - idleSince > IDLE_MS)) lease.stop();
      if (idle.length === 0 && !isAsking && now - lastAt > REFUSED_AGAIN_AFTER_MS) this.#wanted.delete(key);
    }
  }
}
