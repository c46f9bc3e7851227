/**
 * Sandboxes that an api has for itself for a while, so that it reaches them without the service between:
 *
 *     idle ──asked for──► leased ──given back──► idle
 *                           │ ▲
 *              wanted back ─┘ └─ for a minute at the most
 *
 * A lease is one request that both sides keep open, and it is over when either side ends it, or is gone. The api writes what
 * became of the requests that it made; the service writes when it wants the sandbox back, and how it ended. What an
 * api leaves without giving it back is ended: nobody knows what it was doing.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createInterface } from "node:readline";
import type { LeaseAnswer, LeaseNote } from "@genserverless/shared/functions/lease-lines.ts";
import type { Figures } from "../pool/figures.ts";
import type { FoundFunction } from "../pool/pools.ts";
import { describeEnd, type Sandbox } from "../sandbox/sandbox.ts";

interface Held {
  found: FoundFunction;
  sandbox: Sandbox;
  grantedAt: number;
  isRevoked: boolean;
  /** Resolves when the api begins nothing new with it. */
  stopped: Promise<void>;
  /** Asks for it back. */
  revoke(): void;
}

/** Long before the kernel would end a sandbox for the CPU time that it took. */
const LONGEST_MS = 60_000;
/** How long an api may take to stop using what it is asked for. */
const STOPS_WITHIN_MS = 3_000;
/** What a request in hand may take beyond its own time. */
const LATE_MS = 5_000;

export class Leases {
  readonly #figures: Figures;
  readonly #held = new Set<Held>();

  constructor(figures: Figures) {
    this.#figures = figures;
  }

  /** Gives an idle sandbox away, until the request is over. False where there is none to give. */
  async grant(found: FoundFunction, req: IncomingMessage, res: ServerResponse): Promise<boolean> {
    const { pool, spec } = found;
    const sandbox = pool.takeIdle(({ door }) => door !== undefined);
    if (!sandbox) return false;
    res.writeHead(200, {
      "content-type": "application/x-ndjson",
      "x-function-socket": encodeURIComponent(sandbox.door ?? ""),
      "x-function-timeout-ms": spec.timeoutMs,
    });
    res.flushHeaders();
    const tell = (answer: LeaseAnswer) => void (res.writable && res.write(`${JSON.stringify(answer)}\n`));
    const stopped = Promise.withResolvers<void>();
    const held: Held = {
      found,
      sandbox,
      grantedAt: performance.now(),
      isRevoked: false,
      stopped: stopped.promise,
      revoke: () => this.#revoke(held, tell),
    };
    this.#held.add(held);
    const tooLong = setTimeout(() => held.revoke(), LONGEST_MS);
    sandbox.ended.then((end) => {
      tell({ ended: { reason: end.reason ?? "died", words: describeEnd(end) } });
      res.end();
    });
    const isGivenBack = await this.#follow(held, req, stopped.resolve);
    clearTimeout(tooLong);
    this.#held.delete(held);
    stopped.resolve();
    if (isGivenBack) pool.release(sandbox);
    else sandbox.end("abandoned");
    // What is told of a sandbox's end is told before the request is over.
    if (sandbox.state === "ended") await sandbox.ended;
    res.end();
    return true;
  }

  /** Takes back what is meant, and resolves when nobody begins anything new with it. */
  async revoke(isMeant: (found: FoundFunction) => boolean): Promise<void> {
    const meant = [...this.#held].filter(({ found }) => isMeant(found));
    for (const { revoke } of meant) revoke();
    await Promise.all(meant.map(untilStopped));
  }

  /** Takes back the one that was given away first. */
  revokeOldest(isMeant: (found: FoundFunction) => boolean = () => true): boolean {
    const oldest = [...this.#held].find(({ isRevoked, found }) => !isRevoked && isMeant(found));
    oldest?.revoke();
    return oldest !== undefined;
  }

  #revoke(held: Held, tell: (answer: LeaseAnswer) => void): void {
    if (held.isRevoked) return;
    held.isRevoked = true;
    tell({ revoked: true });
    const tooLate = setTimeout(() => held.sandbox.end("abandoned"), held.found.spec.timeoutMs + LATE_MS);
    held.sandbox.ended.then(() => clearTimeout(tooLate));
    held.stopped.then(() => clearTimeout(tooLate));
  }

  /** Reads what the api says until it says no more. True where it gave the sandbox back. */
  async #follow({ found, sandbox }: Held, req: IncomingMessage, stopped: () => void): Promise<boolean> {
    const { project, name } = found.target;
    try {
      for await (const line of createInterface({ input: req })) {
        const { notes = [], stopping, end } = JSON.parse(line) as LeaseNote;
        for (const [outcome, ms] of notes) this.#figures.noteInvocation(project, name, outcome, ms);
        if (stopping) stopped();
        if (end === "returned") return true;
        if (end) sandbox.end(end);
      }
    } catch {
      // The api is gone.
    }
    return false;
  }
}

/** An api that has stood still does not go on with it, either. */
async function untilStopped({ stopped, sandbox }: Held): Promise<void> {
  const late = setTimeout(() => sandbox.end("replaced"), STOPS_WITHIN_MS);
  await Promise.race([stopped, sandbox.ended]);
  clearTimeout(late);
}
