/**
 * The sandboxes of one function of one build: as many as there are requests, up to its concurrency, kept for the next
 * ones. A request gets the sandbox that was used last, or waits in line while another starts. A sandbox that ends takes
 * nothing with it but the request that it had in hand.
 *
 * A start that fails is told to the request that has waited longest, and only to that one.
 */

import type { FunctionSpec } from "@genserverless/shared/functions/manifest.ts";
import { Problem } from "../problems.ts";
import { NotStarted, type Sandbox, type SandboxEnd } from "../sandbox/sandbox.ts";
import type { Place, Places } from "./places.ts";

export interface Lease {
  sandbox: Sandbox;
  /** Whether the request had to wait for it to start. */
  isCold: boolean;
}

export interface FunctionPoolOptions {
  spec: FunctionSpec;
  /** Spawns one; its function is loaded afterwards. */
  spawn(): Promise<Sandbox>;
  places: Places;
  idleMs: number;
  mostWaiting: number;
  /** Called at the end of each of its sandboxes. */
  onEnded(sandbox: Sandbox, end: SandboxEnd): void;
  onStarted(ms: number): void;
  /** Called where one cannot be started. */
  onFailed(error: unknown): void;
  /** Called when a request found no sandbox. */
  onWaiting(): void;
}

/** A request waits as long as its function may take, but a start is not cut short. */
const LEAST_WAIT_MS = 10_000;

interface Waiter {
  resolve(lease: Lease): void;
  reject(error: unknown): void;
}

export class FunctionPool {
  readonly #options: FunctionPoolOptions;
  readonly #sandboxes = new Set<Sandbox>();
  /** The one used last at the end. */
  readonly #idle: Sandbox[] = [];
  readonly #waiting: Waiter[] = [];
  #starting = 0;
  /** Of these, those that have no process yet. */
  #unspawned = 0;
  #keepWarm = 0;
  #warmUntil = 0;
  #isClosed = false;

  constructor(options: FunctionPoolOptions) {
    this.#options = options;
  }

  get sandboxes(): Sandbox[] {
    return [...this.#sandboxes];
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** The one that has been idle longest, where it may go. */
  get oldestIdle(): Sandbox | undefined {
    return this.#sandboxes.size > this.#keepWarm ? this.#idle[0] : undefined;
  }

  /** Throws `queue_full`, `queue_timeout`, `function_not_started`, `draining`. */
  async acquire(): Promise<Lease> {
    if (this.#isClosed) throw new Problem("draining", "the function is being stopped");
    // One that has just ended is in line until its process is gone.
    for (let sandbox = this.#idle.pop(); sandbox; sandbox = this.#idle.pop()) {
      if (sandbox.state !== "idle") continue;
      sandbox.take();
      return { sandbox, isCold: false };
    }
    const { mostWaiting, spec } = this.#options;
    if (this.#waiting.length >= mostWaiting + spec.concurrency) {
      throw new Problem("queue_full", `${this.#waiting.length} requests wait for ${spec.name}`);
    }
    return this.#wait();
  }

  /** One that is idle while nobody waits; it is busy until it is released. */
  takeIdle(isFit: (sandbox: Sandbox) => boolean): Sandbox | undefined {
    if (this.#isClosed || this.#waiting.length > 0) return undefined;
    const index = this.#idle.findLastIndex((sandbox) => sandbox.state === "idle" && isFit(sandbox));
    const [sandbox] = index < 0 ? [] : this.#idle.splice(index, 1);
    sandbox?.take();
    return sandbox;
  }

  /** After a request: the sandbox is the next one's. */
  release(sandbox: Sandbox): void {
    if (sandbox.state === "ended") return;
    this.#offer(sandbox, false);
  }

  /** Keeps as many sandboxes as the manifest says, requests or none; `false` lets them go. */
  keepWarm(isKept: boolean): void {
    this.#keepWarm = isKept ? this.#options.spec.keepWarm : 0;
    this.#warmUp();
  }

  /** Has one ready for so many ms, where there is room for it. */
  warmFor(ms: number): void {
    if (!this.#options.places.hasRoom) return;
    this.#warmUntil = performance.now() + ms;
    this.#warmUp();
  }

  /** Ends what has been idle for too long. */
  trim(now: number): void {
    const tooOld = this.#idle.filter(({ idleSince }) => now - idleSince > this.#options.idleMs);
    for (const sandbox of tooOld) if (this.#sandboxes.size > this.#keepWarm) this.#end(sandbox, "idle");
  }

  evict(sandbox: Sandbox): void {
    this.#warmUntil = 0;
    this.#end(sandbox, "replaced");
  }

  /** Ends everything, whatever is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#keepWarm = 0;
    for (const { reject } of this.#waiting.splice(0)) reject(new Problem("draining", "the function is being stopped"));
    const all = this.sandboxes;
    for (const sandbox of all) sandbox.end("stopped");
    await Promise.all(all.map(({ ended }) => ended));
  }

  #wait(): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const { timeoutMs, name } = this.#options.spec;
      const waitMs = Math.max(timeoutMs, LEAST_WAIT_MS);
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(new Problem("queue_timeout", `${name} was busy for ${waitMs} ms`));
      }, waitMs);
      const settle =
        <T>(act: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          act(value);
        };
      const waiter = { resolve: settle(resolve), reject: settle(reject) };
      this.#waiting.push(waiter);
      this.#options.onWaiting();
      this.#grow();
    });
  }

  #grow(): void {
    const { concurrency } = this.#options.spec;
    while (this.#starting < this.#waiting.length && this.#size < concurrency) this.#start();
  }

  get #leastWarm(): number {
    return Math.max(this.#keepWarm, performance.now() < this.#warmUntil ? 1 : 0);
  }

  #warmUp(): void {
    while (!this.#isClosed && this.#size < this.#leastWarm) this.#start();
  }

  get #size(): number {
    return this.#sandboxes.size + this.#unspawned;
  }

  #start(): void {
    this.#starting++;
    this.#unspawned++;
    this.#startOne().then(
      (sandbox) => {
        this.#starting--;
        if (sandbox) this.#offer(sandbox, true);
      },
      (error: unknown) => {
        this.#starting--;
        this.#options.onFailed(error);
        this.#waiting.shift()?.reject(this.#toProblem(error));
        this.#grow();
      },
    );
  }

  async #startOne(): Promise<Sandbox | undefined> {
    const { places, spawn, onStarted } = this.#options;
    const place = await places.take();
    const startedAt = performance.now();
    const sandbox = await this.#spawn(spawn, place);
    if (!sandbox) return undefined;
    await sandbox.load();
    place.started();
    onStarted(performance.now() - startedAt);
    return sandbox;
  }

  /** From here on the place is free when the sandbox has ended, or at once where there will be none. */
  async #spawn(spawn: () => Promise<Sandbox>, place: Place): Promise<Sandbox | undefined> {
    // Nobody may be waiting any more.
    const isWanted = !this.#isClosed && (this.#waiting.length > 0 || this.#sandboxes.size < this.#leastWarm);
    try {
      const sandbox = isWanted ? await spawn() : undefined;
      if (sandbox) this.#adopt(sandbox, place);
      else place.free();
      return sandbox;
    } catch (error) {
      place.free();
      throw error;
    } finally {
      this.#unspawned--;
    }
  }

  #adopt(sandbox: Sandbox, place: Place): void {
    this.#sandboxes.add(sandbox);
    if (this.#isClosed) sandbox.end("stopped");
    sandbox.ended.then((end) => {
      this.#sandboxes.delete(sandbox);
      const index = this.#idle.indexOf(sandbox);
      if (index >= 0) this.#idle.splice(index, 1);
      place.free();
      this.#options.onEnded(sandbox, end);
      this.#grow();
      // One that never loaded would not load the next time either.
      if (sandbox.hasLoaded) this.#warmUp();
    });
  }

  #offer(sandbox: Sandbox, isCold: boolean): void {
    if (sandbox.state === "ended") {
      this.#grow();
      return;
    }
    const waiter = this.#waiting.shift();
    sandbox.release();
    if (!waiter) return void this.#idle.push(sandbox);
    sandbox.take();
    waiter.resolve({ sandbox, isCold });
  }

  #end(sandbox: Sandbox, reason: "idle" | "replaced"): void {
    const index = this.#idle.indexOf(sandbox);
    if (index >= 0) this.#idle.splice(index, 1);
    sandbox.end(reason);
  }

  #toProblem(error: unknown): unknown {
    if (!(error instanceof NotStarted)) return error;
    const { name } = this.#options.spec;
    return new Problem("function_not_started", `${name}: ${error.message}`, { reason: error.reason });
  }
}
