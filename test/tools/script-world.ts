/**
 * A cluster whose nodes are the test: sessions that claim, commit and give up by the real scripts, on a real Redis, in any
 * order that a program of steps asks for, each step as late as it likes. It writes down what was sent and what became of
 * it, so that in the end each message can be asked for.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { Control } from "@genserverless/shared/cluster/control.ts";
import { DeadLetters } from "@genserverless/shared/cluster/dead-letters.ts";
import { seal } from "@genserverless/shared/cluster/envelope.ts";
import { evictSession } from "@genserverless/shared/cluster/eviction.ts";
import {
  type CommitRequest,
  type Emission,
  type Fetched,
  type Lease,
  Leases,
  type Settlement,
} from "@genserverless/shared/cluster/leases.ts";
import { Outboxes } from "@genserverless/shared/cluster/outbox.ts";
import type { ScriptBench } from "@genserverless/shared/cluster/scripts.test-support.ts";
import { Transfer } from "@genserverless/shared/cluster/transfer.ts";
import { newMessageId } from "@genserverless/shared/process/message.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { Events } from "@genserverless/shared/service/events.ts";
import { type Deed, toActs } from "./script-deeds.ts";
import { Fates } from "./script-fates.ts";

const MODULE = "world";
const PIDS: readonly Pid[] = ["world/a", "world/b", "world/c"];
/** Its first message starts it. */
const ON_DEMAND: Pid = "world/c";
/** Each message that it handles is an event of its journal, which is cut behind a snapshot. */
const JOURNALED: Pid = "world/b";
const SNAPSHOT_EVERY = 3;
const LEAST_KEPT = 4;
const SENDERS = { knowsModule: () => true, isStorageFull: () => false };

export type Ending = "goes on" | "continues" | "retries" | "quarantines" | "stops" | "crashes" | "defers";

/** What a worker has in memory of a process. */
interface Held {
  lease: Lease;
  incarnation: string;
  isStarting: boolean;
  owesContinue: boolean;
  hand: Fetched[];
  /** The last event of its journal. */
  sequence: number;
  timers: string[];
  monitors: string[];
}

export class ScriptWorld {
  readonly #fates = new Fates();
  readonly #bench: ScriptBench;
  readonly #control: Control;
  readonly #letters: DeadLetters;
  readonly #outboxes: Outboxes;
  readonly #transfer: Transfer;
  readonly #leases: Leases;
  readonly #sessions: string[] = [];
  readonly #memory = new Map<string, Held>();
  /** The messages whose events the journal should have, in order. */
  #journaled: string[] = [];

  constructor(bench: ScriptBench) {
    const { link, keys } = bench;
    const events = new Events();
    events.listen(({ name, fields }) => {
      if (name === "message.undeliverable") this.#fates.drop(String(fields["messageId"]));
    });
    this.#bench = bench;
    this.#outboxes = new Outboxes({ link, keys, events });
    this.#leases = new Leases(link, keys);
    this.#letters = new DeadLetters({ link, keys, ...SENDERS, rulesOf: () => undefined });
    this.#transfer = new Transfer({ link, keys, ...SENDERS, outboxes: this.#outboxes });
    this.#control = new Control({
      link,
      keys,
      ...SENDERS,
      outboxes: this.#outboxes,
      rulesOf: () => ({ keepState: "after-crash" }),
    });
  }

  async open(sessions = 2): Promise<void> {
    await this.#bench.link.call("flushall");
    for (let slot = 0; slot < sessions; slot++) this.#sessions.push(await this.#bench.joinWorker(MODULE));
  }

  /** The one whose process it is; 0 where it is nobody's. */
  async findOwner(at: number): Promise<number> {
    const { o = "" } = await this.#bench.readRecord(pidOf(at));
    return Math.max(0, this.#sessions.indexOf(o));
  }

  async start(at: number): Promise<void> {
    await this.#bench.begin(pidOf(at));
  }

  async send(at: number, ms: number, kind: string): Promise<void> {
    const pid = pidOf(at);
    const id = newMessageId(this.#partitionOf(pid));
    if (ms === 0 && kind === "cast") this.#fates.number(id, "outside", pid);
    if (await this.#enqueue(pid, id, kind, ms)) this.#fates.accept(id);
  }

  async claim(slot: number, at: number, width: number): Promise<void> {
    const session = this.#sessionOf(slot);
    const pid = pidOf(at);
    const known = this.#held(slot, pid);
    const claimed = await this.#leases.claim(pid, session, known?.lease.epoch ?? "", width);
    if (claimed.verdict === "later") return;
    if (claimed.verdict === "held" && known) await this.#commit(known, { width: 0 });
    if (claimed.verdict !== "ok") {
      this.#forget(slot, pid);
      return;
    }
    const { epoch, revision, incarnation, status, continueText, messages, journal } = claimed;
    const isRenewal = known !== undefined && known.lease.epoch === epoch;
    const ties = isRenewal ? known : { timers: [] as string[], monitors: [] as string[] };
    this.#memory.set(`${slot} ${pid}`, {
      lease: { pid, partition: this.#partitionOf(pid), session, epoch, revision },
      incarnation,
      isStarting: status === "starting",
      owesContinue: continueText !== "",
      hand: messages,
      sequence: (isRenewal ? known.sequence : journal?.last) ?? 0,
      timers: ties.timers,
      monitors: ties.monitors,
    });
  }

  /** Handles up to `most` of the messages in hand, or the continuation; where there is nothing, it claims first. */
  async turn(slot: number, at: number, most: number, deeds: readonly Deed[], wanted: Ending): Promise<void> {
    if (!this.#held(slot, pidOf(at))?.hand.length) await this.claim(slot, at, 4);
    const held = this.#held(slot, pidOf(at));
    if (!held) return;
    const [first] = held.hand;
    if (!first && !held.owesContinue) return;
    if (held.owesContinue) return await this.#settle(slot, held, [], deeds, wanted);
    const isAlone = held.isStarting || first?.kind === "start" || first?.kind === "stop";
    const ending = first?.kind === "stop" ? "stops" : isAlone && wanted !== "stops" ? "goes on" : wanted;
    await this.#settle(slot, held, held.hand.slice(0, isAlone ? 1 : most), deeds, ending);
  }

  /** A commit that handles nothing, as before a process is given up. */
  async store(slot: number, at: number): Promise<void> {
    const held = this.#held(slot, pidOf(at));
    if (held && held.hand.length === 0 && !held.owesContinue && !(await this.#commit(held, { width: 0 })))
      this.#forget(slot, held.lease.pid);
  }

  async giveUp(slot: number, at: number, how: "passivate" | "handOver"): Promise<void> {
    const held = this.#held(slot, pidOf(at));
    if (!held || (how === "passivate" && held.hand.length > 0)) return;
    if ((await this.#leases[how](held.lease)) === "done") this.#forget(slot, held.lease.pid);
  }

  /** It dies: another takes its place, and somebody notices. */
  async replace(slot: number): Promise<void> {
    await this.die(slot);
    await evictSession(this.#bench.link, this.#bench.keys, this.#sessionOf(slot));
    this.#sessions[slot % this.#sessions.length] = await this.#bench.joinWorker(MODULE);
  }

  /** What it had in memory is gone, and nobody knows yet. */
  async die(slot: number): Promise<void> {
    for (const pid of PIDS) this.#forget(slot, pid);
  }

  async operate(
    at: number,
    act: "pause" | "resume" | "unquarantine" | "kill" | "skip" | "reimport" | "retryAll" | "dropAll",
  ): Promise<void> {
    const pid = pidOf(at);
    try {
      if (act === "kill") await this.#kill(pid);
      else if (act === "skip") await this.#control.skip(pid, undefined);
      else if (act === "retryAll") await this.#retryAll(pid);
      else if (act === "reimport") await this.#reimport(pid);
      else if (act === "dropAll") await this.#letters.dropAll(pid);
      else await this.#control[act](pid);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
    }
  }

  async ring(): Promise<void> {
    for (let partition = 0; partition < this.#bench.keys.partitions; partition++) await this.#leases.ring(partition);
  }

  /** Empties every outbox that is noted, or begins to and dies: what it delivered stays in. */
  async deliver(isWhole: boolean): Promise<void> {
    for (let round = 0; ; round++) {
      const noted = await this.#listOutboxes();
      if (noted.length === 0) return;
      for (const [partition, name] of noted) {
        if (isWhole) await this.#outboxes.empty(partition, name);
        else await this.#deliverOnly(partition, name);
      }
      // What a partition itself sends on is emptied beside this.
      if (!isWhole || round > 100) return;
    }
  }

  async cancel(): Promise<void> {
    const { link, keys } = this.#bench;
    const id = this.#fates.lastWaiting();
    if (!id) return;
    const partition = Number(id.split("-")[0]);
    await link.run("cancel", [keys.outcome(partition, id)], [keys.base(partition), id]);
  }

  /** Lets everything go on, until nothing is left to do. Says what does not come to its end. */
  async settleAll(): Promise<string[]> {
    for (let round = 0; round < 60; round++) {
      for (const at of PIDS.keys()) for (const act of ["resume", "unquarantine"] as const) await this.operate(at, act);
      await this.deliver(true);
      await this.ring();
      await this.#sweep();
      if (!(await this.#workOff())) return [];
      if (round > 2) await sleep(5);
    }
    return ["the world does not come to rest"];
  }

  /** What is left of the journal has just the events that were committed, in their order. */
  async findStrayEvents(): Promise<string[]> {
    const { link, keys } = this.#bench;
    const key = keys.journal(this.#partitionOf(JOURNALED), JOURNALED);
    const entries = await link.call<[id: string, fields: string[]][]>("xrange", key, "-", "+");
    const found = entries.map(([, fields]) => fields.at(-1));
    const expected = this.#journaled.slice(this.#journaled.length - found.length);
    return found.join() === expected.join() ? [] : [`the journal has ${found}, and should have ${expected}`];
  }

  /** What was accepted and neither handled once and in its order, nor dropped with an outcome that says so. */
  findLost(): Promise<string[]> {
    return this.#fates.findLost((id) => this.#bench.readOutcome(id));
  }

  async #workOff(): Promise<boolean> {
    let hadWork = false;
    for (const slot of this.#sessions.keys()) {
      const session = this.#sessionOf(slot);
      for (const at of PIDS.keys()) {
        const pid = pidOf(at);
        const isBusy = (await this.#leases.readBusy(this.#partitionOf(pid), session)).includes(pid);
        for (let turns = 0; isBusy && turns < 100; turns++) {
          hadWork = true;
          const held = this.#held(slot, pid);
          if (held && (held.hand.length > 0 || held.owesContinue)) await this.turn(slot, at, 10, [], "goes on");
          else await this.claim(slot, at, 10);
          const after = this.#held(slot, pid);
          if (!after || (after.hand.length === 0 && !after.owesContinue)) break;
        }
      }
    }
    return hadWork || (await this.#isSomethingDue());
  }

  async #isSomethingDue(): Promise<boolean> {
    const { link, keys } = this.#bench;
    for (let partition = 0; partition < keys.partitions; partition++) {
      if (await link.call<number>("zcard", keys.due(partition))) return true;
      if (await link.call<number>("zcard", keys.outboxes(partition))) return true;
    }
    return false;
  }

  async #listOutboxes(): Promise<[partition: number, name: string][]> {
    const { link, keys } = this.#bench;
    const list = async (partition: number) => {
      const names = await link.call<string[]>("zrange", keys.outboxes(partition), "0", "-1");
      return names.map((name): [number, string] => [partition, name]);
    };
    return (await Promise.all(Array.from({ length: keys.partitions }, (_, partition) => list(partition)))).flat();
  }

  async #sweep(): Promise<void> {
    for (let partition = 0; partition < this.#bench.keys.partitions; partition++) await this.#leases.sweep(partition);
  }

  async #settle(
    slot: number,
    held: Held,
    messages: readonly Fetched[],
    deeds: readonly Deed[],
    ending: Ending,
  ): Promise<void> {
    const left = held.hand.slice(messages.length);
    const isInit = messages[0]?.kind === "start";
    const fails = ending === "retries" && messages.length > 0;
    const settled = fails ? messages.slice(0, -1) : messages;
    const scene = { keys: this.#bench.keys, fates: this.#fates, startOf: (to: Pid) => this.#startOf(to).join(" ") };
    const doer = { ...held, pid: held.lease.pid };
    const acts = deeds.flatMap((deed) => toActs(doer, deed, pidOf(deed.to), scene));
    const last = messages.at(-1);
    if (fails && last) acts.push(["retry", last.id, 5]);
    if (ending === "quarantines") acts.push(["quarantine", "as asked"]);
    const ends = ending === "stops" || ending === "crashes";
    const life = ending === "stops" ? "wiped" : ending === "crashes" ? "stopped" : isInit ? "alive" : "";
    const continues = ending === "continues" && left.length === 0;
    const { recordText, events } = toJournal(held, settled);
    if (events.length > 0) acts.push(["compact", LEAST_KEPT, 0]);
    const committed = await this.#commit(held, {
      life,
      width: left.length > 0 || continues ? 0 : 4,
      continueText: continues ? "1" : undefined,
      stateText: recordText,
      events,
      bytes: settled.reduce((sum, { envelope }) => sum + Buffer.byteLength(envelope), 0),
      turns: messages.length,
      settlements: settled.map((message) => toSettlement(message, ending)),
      acts,
      reason: ending === "stops" ? "normal" : "broken",
    });
    if (!committed) return this.#forget(slot, held.lease.pid);
    for (const { id } of settled) this.#fates.handle(id, held.incarnation);
    held.sequence += events.length;
    if (held.lease.pid === JOURNALED) this.#noteEvents(events, life === "wiped");
    if (ending === "defers") for (const { id } of settled) this.#fates.defer(id);
    for (const act of acts) if (act[0] === "send" && act[1] === "cast") this.#fates.accept(act[3]);
    held.isStarting &&= !isInit;
    held.owesContinue = continues;
    held.hand = left.length > 0 ? left : committed.messages;
    if (ends || (committed.heldBack !== "" && !committed.heldBack.startsWith("retry")))
      this.#forget(slot, held.lease.pid);
    else if (committed.heldBack) held.hand = [];
  }

  #noteEvents(events: readonly Emission[], isWiped: boolean): void {
    this.#journaled = isWiped ? [] : [...this.#journaled, ...events.map(({ messageId }) => messageId)];
  }

  async #commit(held: Held, rest: Partial<CommitRequest>) {
    const empty = { width: 10, stateText: undefined, version: 1, continueText: undefined, life: "" as const, bytes: 0 };
    const request = { ...empty, turns: 0, settlements: [], acts: [], reason: "", ...rest };
    const committed = await this.#leases.commit(held.lease, request);
    if (committed) held.lease.revision = committed.revision;
    return committed;
  }

  async #enqueue(pid: Pid, id: string, kind: string, ms: number): Promise<boolean> {
    const { link, keys } = this.#bench;
    const partition = this.#partitionOf(pid);
    const content = kind === "stop" ? { reason: "normal" } : this.#fates.noteOf(id);
    const envelope = seal(JSON.stringify(content));
    const [startId = "", start = ""] = kind === "stop" ? [] : this.#startOf(pid);
    const args = [keys.base(partition), pid, id, kind, envelope, "", ms, 1_000, 1_000_000, 0, startId, start];
    return (await link.run<[string]>("enqueue", [keys.process(partition, pid)], args))[0] === "queued";
  }

  /** As `Outboxes` does, up to the moment before it takes out what it has delivered. */
  async #deliverOnly(partition: number, name: string): Promise<void> {
    const { link, keys } = this.#bench;
    const entries = await link.call<string[]>("lrange", keys.outbox(partition, name), 0, 20);
    const stream = name === "!" ? `!${partition}` : name;
    const sender = name === "!" ? "" : name.slice(0, name.lastIndexOf("@"));
    const targetOf = (entry: string) => {
      const [, kind = "", target = ""] = entry.split("\n", 3);
      const isGroup = ["join", "leave", "publish"].includes(kind);
      return isGroup ? keys.groupPartition(target) : keys.partitionOf(target as Pid);
    };
    for (const [target, some] of Map.groupBy(entries, targetOf)) {
      const args = [keys.base(target), stream, sender, partition, ...some];
      const [dropped] = await link.run<[string[], string[]]>("deliver", [keys.stream(target, stream)], args);
      for (let at = 1; at < dropped.length; at += 3) this.#fates.drop(dropped[at] ?? "");
    }
  }

  #startOf(pid: Pid): string[] {
    return pid === ON_DEMAND ? [newMessageId(this.#partitionOf(pid)), seal("null")] : [];
  }

  async #reimport(pid: Pid): Promise<void> {
    await this.#transfer.importProcess({ pid, document: await this.#transfer.exportProcess(pid), replaces: true });
    // It has begun to empty the outbox of the life that it ended.
    await this.deliver(true);
  }

  /** Whoever kills empties its outbox; here somebody else does, later. */
  async #kill(pid: Pid): Promise<void> {
    const { link, keys } = this.#bench;
    const partition = this.#partitionOf(pid);
    const args = [keys.base(partition), pid, "killed", 1, newMessageId(partition), "", 60_000];
    await link.run("kill", [keys.process(partition, pid)], args);
  }

  async #retryAll(pid: Pid): Promise<void> {
    const { link, keys } = this.#bench;
    const partition = this.#partitionOf(pid);
    const names = (await link.call<string[]>("keys", `${keys.queuePrefix(partition)}:${pid}@*:failed`)) ?? [];
    for (const name of names) {
      for (const id of await link.call<string[]>("zrange", name, "0", "-1")) this.#fates.revive(id);
    }
    await this.#letters.retryAll(pid);
  }

  #held(slot: number, pid: Pid): Held | undefined {
    return this.#memory.get(`${slot % this.#sessions.length} ${pid}`);
  }

  #forget(slot: number, pid: Pid): void {
    this.#memory.delete(`${slot % this.#sessions.length} ${pid}`);
  }

  #sessionOf(slot: number): string {
    return this.#sessions[slot % this.#sessions.length] ?? "";
  }

  #partitionOf(pid: Pid): number {
    return this.#bench.keys.partitionOf(pid);
  }
}

/** What the record is to have, and the events: of a process with a journal one for each message. */
function toJournal({ lease, sequence }: Held, settled: readonly Fetched[]): { recordText: string; events: Emission[] } {
  if (lease.pid !== JOURNALED) return { recordText: String(lease.revision), events: [] };
  const handled = settled.filter(({ kind }) => kind !== "start");
  const events = handled.map(({ id: messageId }) => ({ type: "handled", dataText: "1", messageId }));
  const last = sequence + events.length;
  const snapshot = last - (last % SNAPSHOT_EVERY);
  // A snapshot is of an event that there is.
  return { recordText: snapshot > 0 ? `#${snapshot} 1 {}` : "#0", events };
}

function toSettlement({ id }: Fetched, ending: Ending): Settlement {
  const outcome = '{"status":"done"}';
  const settled = { id, outcome, replyTo: "", hash: "", keepMs: 60_000 };
  if (ending === "defers") return { ...settled, verdict: "deferred", outcome: "" };
  if (ending !== "quarantines") return { ...settled, verdict: "done" };
  return { ...settled, verdict: "dead", reason: "as asked", stack: [] };
}

function pidOf(at: number): Pid {
  return PIDS[at % PIDS.length] as Pid;
}
