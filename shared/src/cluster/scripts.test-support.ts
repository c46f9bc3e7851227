/** For tests that go step by step: processes whose worker is the test itself, on a Redis of its own. */

import assert from "node:assert/strict";
import { RedisServer } from "../../../test/tools/redis-server.ts";
import { newMessageId } from "../process/message.ts";
import { type Outcome, readKnown } from "../process/outcome.ts";
import type { Pid } from "../process/pid.ts";
import { RedisLink } from "../redis/connection.ts";
import { Keys, moduleOf } from "../redis/keys.ts";
import { loadScripts } from "../redis/scripts.ts";
import { Events } from "../service/events.ts";
import type { Part } from "../service/lifecycle.ts";
import { seal } from "./envelope.ts";
import { type Act, type Claimed, type CommitRequest, type Lease, Leases, type NotClaimed } from "./leases.ts";
import { readPublishedLua } from "./mailbox.ts";

/** A process that has begun, idle, held by a worker of its own, into whose hand messages are put. */
export interface Held {
  pid: Pid;
  session: string;
  lease: Lease;
}

export interface Sent {
  id?: string;
  hash?: string;
  delayMs?: number;
  kind?: string;
}

export class ScriptBench implements Part {
  readonly server = new RedisServer();
  readonly keys = new Keys("t", 4);
  readonly events = new Events();
  #link: RedisLink | undefined;
  #leases: Leases | undefined;
  #named = 0;

  async start(): Promise<void> {
    await this.server.start();
    const scripts = loadScripts(readPublishedLua());
    const options = { url: this.server.url, name: "test", scripts, events: this.events, silenceMs: 3_000 };
    this.#link = new RedisLink(options);
    await this.#link.start();
    this.#leases = new Leases(this.#link, this.keys);
  }

  async stop(): Promise<void> {
    await this.#link?.stop();
    await this.server.stop();
  }

  get link(): RedisLink {
    assert.ok(this.#link);
    return this.#link;
  }

  get leases(): Leases {
    assert.ok(this.#leases);
    return this.#leases;
  }

  /** A new session, for sessions are never reused. */
  async joinWorker(module: string): Promise<string> {
    const session = `worker@${++this.#named}`;
    for (let partition = 0; partition < this.keys.partitions; partition++) {
      const args = [this.keys.base(partition), session, module, 100];
      await this.link.run("join", [this.keys.live(partition)], args);
    }
    return session;
  }

  /** A module of its own, so that tests do not share workers. */
  async startProcess({ tags = [] as string[] } = {}): Promise<Held> {
    const pid: Pid = `m${++this.#named}/p`;
    const session = await this.joinWorker(moduleOf(pid));
    assert.equal((await this.begin(pid, tags))[0], "queued");
    const lease = this.leaseOf(pid, session, await this.claim(pid, session));
    const [init] = await this.#listInHand(pid);
    await this.commit(lease, [init ?? ""], { life: "alive", stateText: "0", bytes: Buffer.byteLength(seal("null")) });
    return { pid, session, lease };
  }

  async begin(pid: Pid, tags: readonly string[] = []): Promise<string[]> {
    const partition = this.keys.partitionOf(pid);
    const options = tags.length > 0 ? JSON.stringify({ tags }) : "";
    const args = [this.keys.base(partition), pid, newMessageId(partition), seal("null"), "", options];
    return await this.link.run<string[]>("start", [this.keys.process(partition, pid)], args);
  }

  /** Its id. */
  async send(pid: Pid, message: unknown, { id, hash = "", delayMs = 0, kind = "cast" }: Sent = {}): Promise<string> {
    const partition = this.keys.partitionOf(pid);
    const own = id ?? newMessageId(partition);
    const envelope = seal(JSON.stringify(message), { hash });
    const args = [this.keys.base(partition), pid, own, kind, envelope, hash, delayMs, 1_000, 1_000_000, 0, "", ""];
    const [verdict] = await this.link.run<[string]>("enqueue", [this.keys.process(partition, pid)], args);
    assert.equal(verdict, "queued");
    return own;
  }

  tryToClaim(pid: Pid, session: string, epoch = ""): Promise<Claimed | NotClaimed> {
    return this.leases.claim(pid, session, epoch, 10);
  }

  async claim(pid: Pid, session: string, epoch = ""): Promise<Claimed> {
    const claimed = await this.tryToClaim(pid, session, epoch);
    assert.equal(claimed.verdict, "ok");
    return claimed as Claimed;
  }

  leaseOf(pid: Pid, session: string, { epoch, revision }: Claimed): Lease {
    return { pid, partition: this.keys.partitionOf(pid), session, epoch, revision };
  }

  /** Settles these as done, or as dead letters, and moves the lease on. Undefined where it is refused. */
  async commit(
    lease: Lease,
    ids: readonly string[],
    rest: Partial<CommitRequest> = {},
    verdict: "done" | "dead" = "done",
  ) {
    const outcome = verdict === "done" ? '{"status":"done"}' : '{"status":"failed","error":{"code":"x","detail":"y"}}';
    const request: CommitRequest = {
      width: 10,
      stateText: undefined,
      version: 1,
      continueText: undefined,
      life: "",
      bytes: 0,
      turns: ids.length,
      settlements: ids.map((id) => ({
        id,
        verdict,
        outcome,
        replyTo: "",
        hash: "",
        keepMs: 60_000,
        reason: "broke",
        stack: [],
      })),
      acts: [] as Act[],
      reason: "normal",
      ...rest,
    };
    const committed = await this.leases.commit(lease, request);
    if (committed) lease.revision = committed.revision;
    return committed;
  }

  /** What a worker does that is told that a process is held back: ends its lease. */
  async putDown({ pid, session, lease }: Held): Promise<void> {
    assert.equal((await this.tryToClaim(pid, session, lease.epoch)).verdict, "held");
    assert.ok(await this.commit(lease, [], { width: 0 }));
  }

  async readOutcome(id: string): Promise<Outcome | undefined> {
    const text = await this.link.call<string | null>("get", this.keys.outcome(Number(id.split("-")[0]), id));
    return text === null ? undefined : readKnown(text).outcome;
  }

  async readRecord(pid: Pid): Promise<Record<string, string>> {
    return await this.link.call("hgetall", this.keys.process(this.keys.partitionOf(pid), pid));
  }

  /** A partition's total. */
  async count(pid: Pid, what: string): Promise<number> {
    return Number(await this.link.call("hget", this.keys.counts(this.keys.partitionOf(pid)), what));
  }

  async isBusy({ pid, session }: Pick<Held, "pid" | "session">): Promise<boolean> {
    return (await this.leases.readBusy(this.keys.partitionOf(pid), session)).includes(pid);
  }

  async #listInHand(pid: Pid): Promise<string[]> {
    const { i } = await this.readRecord(pid);
    return await this.link.call("lrange", this.keys.queue(this.keys.partitionOf(pid), `${pid}@${i}`, "active"), 0, -1);
  }
}
