/**
 * States in a table of Postgres (postgres-table.ts says how).
 *
 * The key of a row ends in the write's own id, so that no statement can harm another's, whenever it arrives: the row of a
 * paused owner, of a turn that ran again, of a statement whose answer was lost and that the server runs a minute later,
 * is one that no record refers to. A plain (pid, incarnation, revision) would be wrong both ways: overwritten, a stale
 * owner could change what is committed; not overwritten, the orphan of a dead owner would block its successor.
 *
 * Each statement is bounded by `timeoutMs`, at the server and here, after a connection was waited for as long at most.
 * A broken connection is dropped and the next statement opens another. A store that cannot be reached does not keep a node
 * from starting: its table is looked for before the first statement that gets through.
 */

import { readFile } from "node:fs/promises";
import { DatabaseError, Pool, type PoolClient, type PoolConfig } from "pg";
import type { Pid } from "../process/pid.ts";
import { SettingError } from "../service/env.ts";
import type { Events } from "../service/events.ts";
import { Availability } from "./availability.ts";
import { composeStatements, type Statements, SWEEP_ROWS } from "./postgres-table.ts";
import type { PostgresSettings } from "./settings.ts";
import { type Candidate, type Judge, type StateStore, type StoredAt, StoreUnavailable, type Verdict } from "./store.ts";

export interface PostgresOptions extends PostgresSettings {
  cluster: string;
  events: Events;
}

/** Classes of SQLSTATE by which a server says that it cannot serve now: connection, resources, operator, system. */
const NOT_NOW = /^(08|53|57|58)/;
/** …and those by which it says that it never will: who we are, which database, which schema, what we may do. */
const NEVER = /^(28|3D|3F|42)/;
/** How long to wait after a statement failed although the server answers. */
const FAILED_RETRY_MS = 1_000;

interface Row {
  pid: Pid;
  incarnation: string;
  revision: string;
  write_id: string;
  has_ended: boolean;
}

interface Found {
  exists: boolean;
  encoding: string;
  durability: string;
}

export class PostgresStore implements StateStore {
  readonly name: string;
  readonly #options: PostgresOptions;
  readonly #say: Statements;
  readonly #pool: Pool;
  readonly #availability: Availability;
  #prepared: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: PostgresOptions) {
    this.name = options.name;
    this.#options = options;
    this.#say = composeStatements(options.table);
    this.#pool = new Pool(toPoolConfig(options));
    // A connection that breaks while nobody uses it is no news: who needs one next learns what there is to know.
    this.#pool.on("error", () => {});
    this.#pool.on("connect", (client) => client.on("error", () => {}));
    this.#availability = new Availability(options.name, options.events);
  }

  async start(): Promise<void> {
    try {
      await this.#use(async () => {});
    } catch (error) {
      const { cause } = error as StoreUnavailable;
      if (cause instanceof SettingError) throw cause;
      if (cause instanceof DatabaseError && NEVER.test(cause.code ?? "")) throw this.#blame(cause.message);
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#pool.end();
    return this.#stopping;
  }

  async write(at: StoredAt, text: string): Promise<void> {
    const { cluster, keepMs } = this.#options;
    await this.#use((client) => client.query(this.#say.write, [cluster, ...toKey(at), text, keepMs]));
  }

  async read(at: StoredAt): Promise<string | undefined> {
    const values = [this.#options.cluster, ...toKey(at)];
    const { rows } = await this.#use((client) => client.query<{ state: string }>(this.#say.read, values));
    return rows[0]?.state;
  }

  async wipe(pid: Pid, incarnation: number): Promise<void> {
    const { cluster, keepMs } = this.#options;
    await this.#use((client) => client.query(this.#say.wipe, [cluster, pid, incarnation, keepMs]));
  }

  /** The rows stay locked while they are judged, so that several nodes sweep different ones. */
  async sweep(judge: Judge): Promise<boolean> {
    let failure: { error: unknown } | undefined;
    const judgeOrNote = (candidates: Candidate[]) =>
      judge(candidates).catch((error: unknown) => {
        failure = { error };
        return undefined;
      });
    const count = await this.#use(async (client) => {
      await client.query("BEGIN");
      const { rows } = await client.query<Row>(this.#say.take, [this.#options.cluster]);
      const verdicts = rows.length > 0 ? await judgeOrNote(rows.map(toCandidate)) : undefined;
      if (verdicts) await this.#settle(client, rows, verdicts);
      await client.query("COMMIT");
      return rows.length;
    });
    if (failure) throw failure.error;
    return count === SWEEP_ROWS;
  }

  async #settle(client: PoolClient, rows: Row[], verdicts: Verdict[]): Promise<void> {
    const columns = (["pid", "incarnation", "revision", "write_id"] as const).map((name) =>
      rows.map((row) => row[name]),
    );
    await client.query(this.#say.settle, [this.#options.cluster, ...columns, verdicts, this.#options.keepMs]);
  }

  /** A connection for one use. Where anything goes wrong it is dropped, and with it what it had begun. */
  async #use<T>(act: (client: PoolClient) => Promise<T>): Promise<T> {
    this.#availability.check();
    let client: PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      await this.#untilPrepared(client);
      const result = await act(client);
      client.release();
      this.#availability.noteAnswer();
      return result;
    } catch (error) {
      client?.release(true);
      throw this.#explain(error as Error);
    }
  }

  #untilPrepared(client: PoolClient): Promise<void> {
    this.#prepared ??= this.#prepare(client).catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  /** Creates the table where it is missing, as a user who may not create one need not. */
  async #prepare(client: PoolClient): Promise<void> {
    const { rows } = await client.query<Found>(this.#say.look);
    const { exists, encoding, durability } = rows[0] as Found;
    if (encoding !== "UTF8") throw this.#blame(`the encoding of its database must be UTF8, not ${encoding}`);
    if (durability === "off")
      throw this.#blame("its synchronous_commit is off: a crash could lose what it has acknowledged");
    if (!exists) await client.query(this.#say.create);
  }

  #blame(fault: string): SettingError {
    return new SettingError(`STATE_STORES: the store "${this.name}" cannot be used: ${fault}`);
  }

  #explain(error: Error): StoreUnavailable {
    const reason = error.message || (error as NodeJS.ErrnoException).code || error.name;
    const isAnswer = error instanceof DatabaseError && !NOT_NOW.test(error.code ?? "");
    const unavailable = isAnswer
      ? new StoreUnavailable(this.name, reason, FAILED_RETRY_MS)
      : this.#availability.noteSilence(reason);
    unavailable.cause = error;
    return unavailable;
  }
}

function toPoolConfig(options: PostgresOptions): PoolConfig {
  const { host, port, database, user, password, passwordFile, pool, timeoutMs, tls } = options;
  return {
    host,
    port,
    database,
    user,
    password: passwordFile ? async () => (await readFile(passwordFile, "utf8")).trim() : password,
    ssl: tls,
    application_name: "genserverless",
    max: pool,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    statement_timeout: timeoutMs,
    idle_in_transaction_session_timeout: 2 * timeoutMs,
    keepAlive: true,
  };
}

function toKey({ pid, incarnation, revision, writeId }: StoredAt): (string | number)[] {
  return [pid, incarnation, revision, writeId];
}

function toCandidate({ pid, incarnation, revision, write_id: writeId, has_ended: hasEnded }: Row): Candidate {
  return { pid, incarnation: Number(incarnation), revision: Number(revision), writeId, hasEnded };
}
