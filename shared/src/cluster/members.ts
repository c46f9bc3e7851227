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
import { AnswerLost, type Connected, RedisDown, type RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import type { Events } from "../service/events.ts";
import type { Part } from "../service/lifecycle.ts";
import { checkFoundation } from "./foundation.ts";

export type Role = "api" | "worker" | "sysmon";

/** A live session, as others see it. */
export interface Member {
  session: string;
  role: Role;
  held: number;
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

const EVICT_BATCH = 100;
const AUDITED_PARTITIONS = 8;

export class Membership implements Part {
  readonly #options: MembershipOptions;
  #session = "";
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #auditFrom = 0;
  #beating: Promise<void> | undefined;
  #forget: (() => void) | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** The current session; empty before the first and while there is none. */
  get session(): string {
    return this.#session;
  }

  async start(): Promise<void> {
    this.#isRunning = true;
    this.#forget = this.#options.link.onConnect((connected) => this.#noteConnected(connected));
    await this.#registerWhenReached();
    this.#scheduleBeat();
  }

  /** Leaves: what the session still had goes to others at once. */
  async stop(): Promise<void> {
    this.#isRunning = false;
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
    return this.#options.role === "worker";
  }

  #noteConnected({ isFirst, isSameServer }: Connected): void {
    if (isFirst || !this.#isRunning) return;
    if (!isSameServer) this.#lose("Redis is not the one it was");
    this.#scheduleBeat(0);
  }

  #scheduleBeat(inMs = this.#options.ttlMs / 3): void {
    clearTimeout(this.#timer);
    if (!this.#isRunning) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat()
        .catch((error: unknown) => {
          if (!(error instanceof RedisDown)) this.#options.events.emit("warn", "beat.failed", { error: String(error) });
        })
        .then(() => this.#scheduleBeat());
    }, inMs);
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
    if (!this.#session) return;
    this.#options.events.emit("warn", "session.lost", { session: this.#session, reason });
    const lost = this.#session;
    this.#session = "";
    this.#options.onLost?.();
    const { link, keys } = this.#options;
    // The node lives: what it had in hand did not end it.
    link
      .untilUp()
      .then(() => evictSession(link, keys, lost, { blameless: true, isWorker: this.#isWorker }))
      .catch(() => {});
  }

  #describe(): Record<string, string | number> {
    return { held: 0, ...this.#options.describe?.() };
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
    const { link, keys, role, name, ttlMs, modules = [], events, onSession } = this.#options;
    await checkFoundation(link, keys);
    const session = `${role}@${name}#${randomBytes(6).toString("hex")}`;
    await onSession?.(session);
    const fields = {
      role,
      name,
      host: hostname(),
      osPid: process.pid,
      startedAt: Date.now() - Math.round(process.uptime() * 1000),
      ttlMs,
      modules: modules.join(","),
      ...this.#describe(),
    };
    await link.run(
      "register",
      [keys.session(session), keys.sessions],
      [keys.members, session, ttlMs, ...Object.entries(fields).flat()],
    );
    await this.#evictPredecessors(session);
    if (this.#isWorker) await this.#join(session);
    this.#session = session;
    // Whoever started this node, over an IPC channel, can then tell the cluster of its death at once.
    process.send?.({ session });
    events.emit("info", "session.registered", { session });
  }

  /** Whoever ran on this machine under an operating-system pid that is mine or nobody's is known to be dead. */
  async #evictPredecessors(session: string): Promise<void> {
    const { link, keys, role } = this.#options;
    const sessions = await link.call<string[]>("smembers", keys.sessions);
    for (const other of sessions.filter((candidate) => candidate !== session && candidate.startsWith(`${role}@`))) {
      const [host, osPid] = await link.call<(string | null)[]>("hmget", keys.session(other), "host", "osPid");
      if (host === hostname() && !isOtherAlive(Number(osPid))) await evictSession(link, keys, other);
    }
  }

  async #join(session: string): Promise<void> {
    const { link, keys, modules = [] } = this.#options;
    const joins = Array.from({ length: keys.partitions }, async (_, partition) => {
      let given = EVICT_BATCH;
      while (given === EVICT_BATCH) {
        const args = [keys.base(partition), session, modules.join(","), EVICT_BATCH];
        given = await link.run<number>("join", [keys.live(partition)], args);
      }
    });
    await Promise.all(joins);
  }

  async #readMembers(): Promise<Member[]> {
    const { link, keys } = this.#options;
    const sessions = await link.call<string[]>("smembers", keys.sessions);
    const records = await Promise.all(
      sessions.map((session) => link.call<(string | null)[]>("hmget", keys.session(session), "role", "held")),
    );
    const members: Member[] = [];
    for (const [index, session] of sessions.entries()) {
      const [role, held] = records[index] ?? [];
      if (role) members.push({ session, role: role as Role, held: Number(held) });
      else await this.#evictDead(session);
    }
    return members;
  }

  async #evictDead(session: string): Promise<void> {
    const { link, keys, events } = this.#options;
    await evictSession(link, keys, session, { isWorker: session.startsWith("worker@") });
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

function isOtherAlive(osPid: number): boolean {
  if (osPid === process.pid) return false;
  try {
    process.kill(osPid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

export interface EvictOptions {
  /** What the session had in hand is known not to have ended its node. */
  blameless?: boolean;
  isWorker?: boolean;
}

/** Ends a session known to be dead, everywhere. May be repeated, by anybody. */
export async function evictSession(
  link: RedisLink,
  keys: Keys,
  session: string,
  { blameless = false, isWorker = true }: EvictOptions = {},
): Promise<void> {
  await link.call("del", keys.session(session));
  if (isWorker) {
    const evictions = Array.from({ length: keys.partitions }, async (_, partition) => {
      const args = [keys.base(partition), session, EVICT_BATCH, blameless ? 1 : 0];
      while ((await link.run<number>("evict", [keys.live(partition)], args)) > 0);
    });
    await Promise.all(evictions);
  }
  await link.call("srem", keys.sessions, session);
}
