/**
 * Who is in the cluster. A session is one boot of one node: a key that its heartbeat keeps alive and that, once lapsed,
 * nothing brings back. Every session is in the set of sessions; a worker's is also in the live set of every partition,
 * which is what the scripts read.
 *
 * What moves a session: `register` → (beat, beat, …) → lapsed or ended. On each beat every node looks for sessions that
 * are gone and evicts them, and checks a few partitions for live members that nobody lists any more, so that each ends
 * up evicted whoever died halfway through evicting it. All of it may be repeated by anybody at any time.
 *
 * A node whose session has lapsed, or whose Redis is another one than before, drops what it holds (`onLost`) before it
 * registers again under a new session. Time only decides when others may take over; what a late node may still write is
 * decided by the scripts.
 */

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { type Role, roleOfSession, runsProcesses } from "../process/role.ts";
import { AnswerLost, type Connected, RedisDown, type RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import type { Events } from "../service/events.ts";
import type { Part } from "../service/lifecycle.ts";
import { VitalSigns } from "../service/vitals.ts";
import { evictSession } from "./eviction.ts";
import { checkFoundation } from "./foundation.ts";
import { Predecessor } from "./predecessor.ts";

/** A live session, as others see it. */
export interface Member {
  session: string;
  role: Role;
  held: number;
  /** What a worker or a gateway runs, comma-separated. */
  modules: string;
}

export interface MembershipOptions {
  link: RedisLink;
  keys: Keys;
  events: Events;
  role: Role;
  name: string;
  ttlMs: number;
  /** The modules a worker runs; they decide which processes it is given. */
  modules?: readonly string[];
  /** What the heartbeat tells about the node. */
  describe?: () => Record<string, string | number>;
  /** Called before a new session is registered, with the new one: whatever the old one held is void. */
  onSession?: (session: string) => Promise<void> | void;
  /** Called when the session is found dead: everything held under it must be dropped now. */
  onLost?: () => void;
  /** Called on each beat with the live members. */
  onMembers?: (members: Member[]) => void;
}

const JOIN_BATCH = 100;
const AUDITED_PARTITIONS = 8;

export class Membership implements Part {
  readonly #options: MembershipOptions;
  readonly #predecessor: Predecessor;
  readonly #vitals = new VitalSigns();
  #modules: readonly string[];
  #session = "";
  /** The session that is being registered. */
  #candidate = "";
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #isStarted = false;
  #mustCheck = false;
  #auditFrom = 0;
  #beating = Promise.resolve();
  #forget: (() => void) | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#modules = options.modules ?? [];
    this.#predecessor = new Predecessor(options.keys.prefix, options.role, options.name);
  }

  /** The current session; empty before the first and while there is none. */
  get session(): string {
    return this.#session;
  }

  async start(): Promise<void> {
    this.#isRunning = true;
    this.#vitals.start();
    this.#forget = this.#options.link.onConnect((connected) => this.#noteConnected(connected));
    await this.#registerWhenReached();
    this.#isStarted = true;
    this.#scheduleBeat();
  }

  /** Leaves: what the session still had goes to others at once. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#vitals.stop();
    clearTimeout(this.#timer);
    this.#forget?.();
    await this.#beating;
    const session = this.#session;
    this.#session = "";
    if (!session) return;
    const { link, keys } = this.#options;
    await evictSession(link, keys, session, { blameless: true, isWorker: this.#isWorker }).catch(() => {});
    this.#options.events.emit("info", "session.ended", { session });
  }

  get #isWorker(): boolean {
    return runsProcesses(this.#options.role);
  }

  /** The worker has learnt other modules: it joins again with these. */
  async learn(modules: readonly string[]): Promise<void> {
    this.#modules = modules;
    const session = this.#session;
    if (!session || !this.#isWorker) return;
    await this.#join(session);
    this.check();
  }

  /** Beats now: there is reason to believe that the session is dead. */
  check(): void {
    this.#mustCheck = true;
    this.#scheduleBeat();
  }

  #noteConnected({ isFirst, isSameServer }: Connected): void {
    if (isFirst || !this.#isRunning) return;
    if (!isSameServer) this.#lose("Redis is not the one it was");
    this.check();
  }

  /** One beat at a time, for a beat may register. */
  #scheduleBeat(): void {
    clearTimeout(this.#timer);
    if (!this.#isRunning || !this.#isStarted) return;
    const inMs = this.#mustCheck ? 0 : this.#options.ttlMs / 3;
    this.#timer = setTimeout(() => {
      this.#beating = this.#beating.then(() => this.#beatAndGoOn());
    }, inMs);
  }

  async #beatAndGoOn(): Promise<void> {
    this.#mustCheck = false;
    try {
      if (this.#isRunning) await this.#beat();
    } catch (error) {
      if (!(error instanceof RedisDown)) this.#options.events.emit("warn", "beat.failed", { error: String(error) });
    }
    this.#scheduleBeat();
  }

  async #beat(): Promise<void> {
    if (this.#session) await this.#renew();
    if (!this.#session) await this.#register();
    const members = await this.#readMembers();
    this.#options.onMembers?.(members);
    await this.#audit(new Set(members.map(({ session }) => session)));
  }

  async #renew(): Promise<void> {
    const { link, keys, ttlMs } = this.#options;
    const args = [keys.members, ttlMs, ...Object.entries(this.#describe()).flat()];
    const isAlive = await link.run<number>("beat", [keys.session(this.#session)], args);
    if (isAlive === 0) this.#lose("the session lapsed");
  }

  #lose(reason: string): void {
    const lost = this.#session || this.#candidate;
    if (!lost) return;
    this.#options.events.emit("warn", "session.lost", { session: lost, reason });
    this.#session = "";
    this.#candidate = "";
    this.#options.onLost?.();
    const { link, keys } = this.#options;
    // The node lives: what it had in hand did not end it.
    link
      .untilUp()
      .then(() => evictSession(link, keys, lost, { blameless: true, isWorker: this.#isWorker }))
      .catch(() => {});
  }

  #describe(): Record<string, string | number> {
    const { load, lagMs } = this.#vitals.take();
    const vitals = { load: load.toFixed(2), lagMs: lagMs.toFixed(1) };
    return { held: 0, modules: this.#modules.join(","), ...vitals, ...this.#options.describe?.() };
  }

  async #registerWhenReached(): Promise<void> {
    while (this.#isRunning && !this.#session) {
      try {
        await this.#register();
      } catch (error) {
        if (!(error instanceof RedisDown || error instanceof AnswerLost)) throw error;
        await this.#options.link.untilUp();
      }
    }
  }

  async #register(): Promise<void> {
    const { link, keys, role, name, ttlMs, events, onSession } = this.#options;
    await checkFoundation(link, keys);
    const session = `${role}@${name}#${randomBytes(6).toString("hex")}`;
    this.#candidate = session;
    await onSession?.(session);
    const fields = {
      role,
      name,
      host: hostname(),
      osPid: process.pid,
      startedAt: Date.now() - Math.round(process.uptime() * 1000),
      ttlMs,
      ...this.#describe(),
    };
    await link.run(
      "register",
      [keys.session(session), keys.sessions],
      [keys.members, session, ttlMs, ...Object.entries(fields).flat()],
    );
    await this.#evictPredecessor(session);
    if (this.#isWorker) await this.#join(session);
    if (this.#candidate !== session) throw new RedisDown("the session was lost while it was registered");
    this.#candidate = "";
    this.#session = session;
    // Whoever started this node, over an IPC channel, can then tell the cluster of its death at once.
    process.send?.({ session });
    events.emit("info", "session.registered", { session });
  }

  /** What ran here before, under this name, needs no TTL to be known to be dead. */
  async #evictPredecessor(session: string): Promise<void> {
    const { link, keys } = this.#options;
    const dead = this.#predecessor.findDead();
    if (dead && dead !== session) await evictSession(link, keys, dead, { isWorker: this.#isWorker });
    this.#predecessor.leaveTrace(session);
  }

  async #join(session: string): Promise<void> {
    const { link, keys } = this.#options;
    const modules = this.#modules.join(",");
    const joins = Array.from({ length: keys.partitions }, async (_, partition) => {
      let given = JOIN_BATCH;
      while (given === JOIN_BATCH) {
        const args = [keys.base(partition), session, modules, JOIN_BATCH];
        given = await link.run<number>("join", [keys.live(partition)], args);
      }
    });
    await Promise.all(joins);
  }

  async #readMembers(): Promise<Member[]> {
    const { link, keys } = this.#options;
    const sessions = await link.call<string[]>("smembers", keys.sessions);
    const records = await Promise.all(
      sessions.map((session) =>
        link.call<(string | null)[]>("hmget", keys.session(session), "role", "held", "modules"),
      ),
    );
    const members: Member[] = [];
    for (const [index, session] of sessions.entries()) {
      const [role, held, modules] = records[index] ?? [];
      if (role) members.push({ session, role: role as Role, held: Number(held), modules: modules ?? "" });
      else await this.#evictDead(session);
    }
    return members;
  }

  async #evictDead(session: string): Promise<void> {
    const { link, keys, events } = this.#options;
    await evictSession(link, keys, session, { isWorker: runsProcesses(roleOfSession(session)) });
    events.emit("warn", "session.evicted", { session });
  }

  async #audit(known: Set<string>): Promise<void> {
    const { link, keys } = this.#options;
    const count = Math.min(AUDITED_PARTITIONS, keys.partitions);
    const partitions = Array.from({ length: count }, (_, index) => (this.#auditFrom + index) % keys.partitions);
    this.#auditFrom = (this.#auditFrom + count) % keys.partitions;
    const lives = await Promise.all(partitions.map((partition) => link.call<string[]>("hkeys", keys.live(partition))));
    const strangers = new Set(lives.flat().filter((session) => !known.has(session)));
    for (const session of strangers) {
      // A session that registered after the members were read is no stranger.
      if ((await link.call<number>("exists", keys.session(session))) === 0) await this.#evictDead(session);
    }
  }
}
