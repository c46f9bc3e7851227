/**
 * Looks over everything that a cluster keeps of its processes and says what does not fit together: totals that are off, a
 * message that nobody will look at, a mark without what it stands for. True between any two scripts, for each of them
 * leaves its partition so; to be asked where nobody is at work, for it reads key by key.
 */

import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { until } from "./until.ts";

/** What is wrong, a sentence each. */
export async function audit(redis: Redis, prefix: string, partitions: number): Promise<string[]> {
  const faults = await Promise.all(
    Array.from({ length: partitions }, async (_, partition) => {
      const found = await new PartitionAudit(redis, `${prefix}:{${partition}}:`).run();
      return found.map((fault) => `partition ${partition}: ${fault}`);
    }),
  );
  return faults.flat();
}

/**
 * Waits until nobody is at work any more – what has run is put to sleep, or given to a worker that has just come – and
 * everything fits together. Fails with what does not.
 */
export async function untilSound(redis: Redis, prefix: string, partitions: number, withinMs = 30_000): Promise<void> {
  const isSound = async () => {
    assert.deepEqual(await audit(redis, prefix, partitions), []);
    return true;
  };
  await until(isSound, { withinMs, everyMs: 100, what: "everything in Redis fits together" });
}

/** Whose outboxes hold something, in one look at all partitions: a mailbox's name, or `!` for a partition's own. */
export async function findOutboxes(redis: Redis, prefix: string, partitions: number): Promise<string[]> {
  const look = redis.multi();
  for (let partition = 0; partition < partitions; partition++) look.zrange(`${prefix}:{${partition}}:outs`, "0", "-1");
  const found = (await look.exec()) ?? [];
  return found.flatMap(([error, names]) => {
    if (error) throw error;
    return names as string[];
  });
}

interface Mailbox {
  wait: string[];
  active: string[];
  prioritized: string[];
  delayed: [id: string, dueAt: number][];
  failed: string[];
  /** The jobs that there are, in whatever list, with their envelopes. */
  jobs: Map<string, string>;
}

type Fields = Record<string, string>;

const STRUCTURES = new Set(["wait", "active", "prioritized", "delayed", "failed", "meta", "id", "events", "marker"]);
const HELD_BY_PERSON = new Set(["paused", "quarantined"]);

class PartitionAudit {
  readonly #redis: Redis;
  readonly #base: string;
  readonly #faults: string[] = [];
  readonly #mailboxes = new Map<string, Mailbox>();
  readonly #records = new Map<string, Fields>();
  /** The rest of each key after the base. */
  #keys = new Set<string>();
  #live: Fields = {};

  constructor(redis: Redis, base: string) {
    this.#redis = redis;
    this.#base = base;
  }

  async run(): Promise<string[]> {
    const found = await this.#redis.keys(`${this.#base.replace(/[?*[\]^\\]/g, "\\$&")}*`);
    this.#keys = new Set(found.map((key) => key.slice(this.#base.length)));
    this.#live = await this.#redis.hgetall(`${this.#base}live`);
    for (const key of this.#keys) {
      if (key.startsWith("proc:")) this.#records.set(key.slice(5), await this.#redis.hgetall(this.#base + key));
      const [, name, part] = /^q:([^@]+@\d+):(.+)$/.exec(key) ?? [];
      if (name && part) await this.#readPart(name, part);
    }
    for (const [pid, record] of this.#records) await this.#checkProcess(pid, record);
    await this.#checkMailboxes();
    await this.#checkBooks();
    await this.#checkJournals();
    await this.#checkCounts();
    return this.#faults;
  }

  #say(fault: string): void {
    this.#faults.push(fault);
  }

  async #readPart(name: string, part: string): Promise<void> {
    const mailbox = this.#mailboxes.get(name) ?? {
      wait: [],
      active: [],
      prioritized: [],
      delayed: [],
      failed: [],
      jobs: new Map<string, string>(),
    };
    this.#mailboxes.set(name, mailbox);
    const key = `${this.#base}q:${name}:${part}`;
    if (part === "wait" || part === "active") mailbox[part] = await this.#redis.lrange(key, 0, -1);
    else if (part === "prioritized" || part === "failed") mailbox[part] = await this.#redis.zrange(key, "0", "-1");
    else if (part === "delayed") mailbox.delayed = toPairs(await this.#redis.zrange(key, "0", "-1", "WITHSCORES"));
    else if (!STRUCTURES.has(part)) mailbox.jobs.set(part, (await this.#redis.hget(key, "data")) ?? "");
  }

  async #checkProcess(pid: string, record: Fields): Promise<void> {
    const name = `${pid}@${record["i"]}`;
    const isStopped = record["s"] === "stopped";
    const mailbox = this.#mailboxes.get(name);
    const ids = mailbox ? [...mailbox.wait, ...mailbox.active, ...mailbox.prioritized] : [];
    const delayed = mailbox?.delayed ?? [];
    if (isStopped) {
      if (record["b"] === "1") this.#say(`${pid} is stopped and has mail`);
      return;
    }
    this.#compare(pid, "n", record, ids.length + delayed.length);
    this.#compare(pid, "w", record, delayed.length);
    const bytesOf = (id: string) => Buffer.byteLength(mailbox?.jobs.get(id) ?? "");
    const bytes = [...ids, ...delayed.map(([id]) => id)].reduce((sum, id) => sum + bytesOf(id), 0);
    this.#compare(pid, "z", record, bytes);
    if (record["s"] === "starting" && !record["y"]) this.#say(`${pid} is starting and has no start`);
    await this.#checkMail(pid, record, ids, delayed);
    await this.#checkLease(pid, record);
    if (this.#keys.has(`own:${name}`) && record["h"] !== "1") this.#say(`${pid} has ties, and no mark of them`);
  }

  #compare(pid: string, field: string, record: Fields, actual: number): void {
    if (Number(record[field] ?? 0) !== actual) this.#say(`${pid} says ${field} ${record[field]}, and it is ${actual}`);
  }

  /** Whoever has something to do is in the set of somebody who will do it. */
  async #checkMail(pid: string, record: Fields, ids: string[], delayed: [string, number][]): Promise<void> {
    const { b, o = "", p } = record;
    const isHeld = p !== undefined && HELD_BY_PERSON.has(p);
    const inBusy = o in this.#live && (await this.#redis.sismember(`${this.#base}busy:${o}`, pid)) === 1;
    const inReady = (await this.#redis.sismember(`${this.#base}ready:${pid.split("/")[0]}`, pid)) === 1;
    if (b === "1" && !inBusy && !inReady) this.#say(`${pid} has mail and is in nobody's set (owner "${o}", p ${p})`);
    if (b !== "1" && inReady) this.#say(`${pid} has no mail and is ready`);
    if (b !== "1" && p !== undefined && inBusy) this.#say(`${pid} is held back (${p}) and in the busy set of ${o}`);
    if (b !== "1" && p === undefined && ids.length > 0) this.#say(`${pid} has ${ids.length} messages and b ${b}`);
    if (b !== "1" && !isHeld && record["q"] !== undefined) this.#say(`${pid} is owed a continuation, and b is ${b}`);
    if (b === "1" || isHeld) return;
    const next = p?.startsWith("retry ") ? Number(p.slice(6)) : delayed[0]?.[1];
    if (next === undefined) return;
    const due = await this.#redis.zscore(`${this.#base}due`, pid);
    if (due === null || Number(due) > next) this.#say(`${pid} is due at ${next}, and the index says ${due}`);
  }

  /** A session that has claimed a process finds it again when it ends. */
  async #checkLease(pid: string, { o = "", c = "" }: Fields): Promise<void> {
    if (!(o in this.#live) || !c.startsWith(`${o} `)) return;
    const isHeld = await this.#redis.sismember(`${this.#base}held:${o}`, pid);
    if (isHeld !== 1) this.#say(`${pid} is claimed by ${o}, which does not hold it`);
  }

  async #checkMailboxes(): Promise<void> {
    const swept = await this.#redis.smembers(`${this.#base}sweep`);
    for (const [name, mailbox] of this.#mailboxes) {
      const { wait, active, prioritized, delayed, failed, jobs } = mailbox;
      const listed = [...wait, ...active, ...prioritized, ...delayed.map(([id]) => id), ...failed];
      for (const id of new Set(listed)) if (!jobs.has(id)) this.#say(`${name} lists ${id}, which has no job`);
      for (const id of jobs.keys()) if (!listed.includes(id)) this.#say(`${name} has the job ${id} in no list`);
      if (new Set(listed).size < listed.length) this.#say(`${name} lists a message twice`);
      if (this.#isCurrent(name) || swept.includes(name)) continue;
      if (listed.length > failed.length) this.#say(`${name} has ended, holds mail, and is not swept`);
    }
  }

  /** What belongs to a life is there for as long as the life. */
  async #checkBooks(): Promise<void> {
    for (const key of this.#keys) {
      const [, what, of] = /^(own|defer|watch|waits):(.+)$/.exec(key) ?? [];
      if ((what === "own" || what === "defer") && of && !this.#isCurrent(of)) this.#say(`${key} of an ended life`);
      if (what === "watch" && of && !this.#isLiving(of)) this.#say(`${key} of no process`);
    }
    const noted = new Set(await this.#redis.zrange(`${this.#base}outs`, "0", "-1"));
    const outboxes = [...this.#keys].filter((key) => key.startsWith("out:")).map((key) => key.slice(4));
    for (const name of outboxes) if (!noted.has(name)) this.#say(`the outbox of ${name} is not noted`);
    const index = await this.#redis.zrange(`${this.#base}index`, "0", "-1");
    for (const pid of index) if (!this.#records.has(pid)) this.#say(`the index has ${pid}, which is not there`);
    for (const pid of this.#records.keys()) if (!index.includes(pid)) this.#say(`the index lacks ${pid}`);
    for (const pid of await this.#redis.zrange(`${this.#base}due`, "0", "-1")) {
      if (!this.#isLiving(pid)) this.#say(`the due index has ${pid}, which is not there`);
    }
  }

  /** A journal has each sequence once, up to the record's last, and the snapshot is not ahead of it. */
  async #checkJournals(): Promise<void> {
    const kept = [...this.#keys].filter((key) => /^(journal|snapshots):/.test(key));
    for (const key of kept) {
      const pid = key.slice(key.indexOf(":") + 1);
      if (!this.#records.get(pid)?.["d"]?.startsWith("#")) this.#say(`${key} of no process with a journal`);
    }
    for (const [pid, { d = "", J = "0" }] of this.#records) {
      const at = /^#(\d+)/.exec(d)?.[1];
      if (at === undefined) continue;
      if (Number(at) > Number(J)) this.#say(`${pid} has a snapshot of event ${at}, and its journal goes to ${J}`);
      const entries = await this.#redis.xrange(`${this.#base}journal:${pid}`, "-", "+");
      const ids = entries.map(([id]) => Number(id.split("-")[0]));
      const isWhole = ids.every((id, index) => index === 0 || id === (ids[index - 1] ?? 0) + 1);
      if (!isWhole) this.#say(`the journal of ${pid} has a gap`);
      if ((ids.at(-1) ?? Number(J)) !== Number(J)) this.#say(`the journal of ${pid} ends at ${ids.at(-1)}, not ${J}`);
      const base = /^#(\d+)/.exec((await this.#redis.hget(`${this.#base}snapshots:${pid}`, "base")) ?? "#0")?.[1];
      if ((ids[0] ?? 1) > Number(base) + 1) this.#say(`the journal of ${pid} begins at ${ids[0]}, behind ${base}`);
    }
  }

  async #checkCounts(): Promise<void> {
    const counts = await this.#redis.hgetall(`${this.#base}counts`);
    const records = [...this.#records.values()];
    const mailboxes = [...this.#mailboxes];
    const expected: Record<string, number> = {};
    for (const status of ["starting", "alive", "stopped"]) {
      expected[status] = records.filter(({ s }) => s === status).length;
    }
    for (const why of HELD_BY_PERSON) expected[why] = records.filter(({ p }) => p === why).length;
    expected["delayed"] = sum(mailboxes.map(([, { delayed }]) => delayed.length));
    expected["queued"] =
      expected["delayed"] + sum(mailboxes.map(([, { wait, prioritized }]) => wait.length + prioritized.length));
    expected["failed"] = sum(mailboxes.map(([name, { failed }]) => (this.#isCurrent(name) ? failed.length : 0)));
    for (const [what, number] of Object.entries(expected)) {
      if (Number(counts[what] ?? 0) !== number) this.#say(`counts say ${what} ${counts[what]}, and it is ${number}`);
    }
  }

  #isLiving(pid: string): boolean {
    const status = this.#records.get(pid)?.["s"];
    return status === "starting" || status === "alive";
  }

  #isCurrent(name: string): boolean {
    const at = name.lastIndexOf("@");
    const pid = name.slice(0, at);
    return this.#isLiving(pid) && this.#records.get(pid)?.["i"] === name.slice(at + 1);
  }
}

/** BullMQ's score holds the due time in its upper bits. */
function toPairs(flat: readonly string[]): [string, number][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [
    flat[index * 2] ?? "",
    Math.floor(Number(flat[index * 2 + 1]) / 4096),
  ]);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
