import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client } from "pg";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import { PostgresServer } from "../../../test/tools/postgres-server.ts";
import { until } from "../../../test/tools/until.ts";
import type { Pid } from "../process/pid.ts";
import { SettingError } from "../service/env.ts";
import { Events } from "../service/events.ts";
import { prepareStores } from "./open-stores.ts";
import { readStoreSettings } from "./settings.ts";
import type { StateStores } from "./state-stores.ts";
import { StateMissing, StoreUnavailable } from "./store.ts";
import type { RecordView } from "./sweep.ts";

/** The Postgres store on a real server, which is killed and brought back at the end. */

const server = new PostgresServer();
const opened: StateStores[] = [];
let sql: Client;
let named = 0;

before(async () => {
  await server.start();
  sql = await connect();
});

after(async () => {
  await Promise.all(opened.map((stores) => stores.stop()));
  await sql.end();
  await server.stop();
  assertNoChildLeft();
});

async function connect(): Promise<Client> {
  const client = new Client(server.url);
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** A table of its own for each test, so that tests do not share states. */
function aTable(): string {
  return `states_${++named}`;
}

/** The stores of one node, `cold` being one in this table; what is past is past at once. */
async function open(
  table: string,
  { query = "keepMs=0", cluster = "gs", url = server.url } = {},
): Promise<StateStores> {
  const settings = readStoreSettings({ STATE_STORES: `cold=${url}?table=${table}&${query}` });
  const stores = (await prepareStores(settings, cluster))(new Events());
  opened.push(stores);
  await stores.start();
  return stores;
}

async function countStates(table: string): Promise<number> {
  const { rows } = await sql.query<{ count: string }>(`SELECT count(*) FROM ${table}`);
  return Number(rows[0]?.count);
}

/** A cluster's records, as a sweep reads them. */
class Records {
  readonly #records = new Map<Pid, RecordView>();

  set(pid: Pid, incarnation: number, revision: number, text: string): void {
    this.#records.set(pid, { incarnation, revision, text });
  }

  delete(pid: Pid): void {
    this.#records.delete(pid);
  }

  readonly read = async (pids: readonly Pid[]) => pids.map((pid) => this.#records.get(pid));
}

const PID: Pid = "ledger/a";
const place = (revision: number, incarnation = 1) => ({ pid: PID, incarnation, revision });

test("what was written is read byte for byte", async () => {
  const stores = await open(aTable());
  const texts = ['{"b":1,"a":1.0e2, "b":"\\u0000\\ud800"}', '"žluťoučký 🐎 \'; DROP TABLE x --"', "null", "[]"];
  for (const [index, text] of texts.entries()) {
    const reference = await stores.write("cold", place(index), text);
    assert.match(reference, /^@cold 1 \d \S+$/);
    assert.equal(await stores.resolve(PID, reference), text);
  }
});

test("a state of 8 MiB comes back whole", async () => {
  const stores = await open(aTable());
  const text = JSON.stringify(Array.from({ length: 2 ** 20 }, (_, n) => String(n).padStart(5, "ž")));
  assert.ok(Buffer.byteLength(text) >= 8 * 1024 * 1024);
  assert.equal((await stores.resolve(PID, await stores.write("cold", place(1), text))) === text, true);
});

test("a state that is not there is missing, and says whose it is", async () => {
  const stores = await open(aTable());
  await assert.rejects(stores.resolve(PID, "@cold 1 7 nobody"), StateMissing);
  await assert.rejects(stores.resolve(PID, "@cold 1 7 nobody"), /does not have the state of ledger\/a@1 at revision 7/);
});

test("two writes for one revision stand beside each other, so that neither a late nor a dead owner does harm", async () => {
  const table = aTable();
  const [old, next] = [await open(table), await open(table)];
  const orphan = await old.write("cold", place(8), '"of an owner that died before its commit"');
  const committed = await next.write("cold", place(8), '"of its successor"');
  await old.write("cold", place(8), '"of an owner that was paused"');
  assert.equal(await next.resolve(PID, committed), '"of its successor"');
  assert.notEqual(orphan, committed);
  const records = new Records();
  records.set(PID, 1, 8, committed);
  for (const _ of [1, 2]) await next.sweep(records.read);
  assert.equal(await countStates(table), 1);
  assert.equal(await next.resolve(PID, committed), '"of its successor"');
});

test("the same write twice is one state", async () => {
  const table = aTable();
  const { PostgresStore } = await import("./postgres-store.ts");
  const [settings] = readStoreSettings({ STATE_STORES: `cold=${server.url}?table=${table}` });
  assert.ok(settings);
  const store = new PostgresStore({ ...settings, cluster: "gs", events: new Events() });
  const at = { ...place(1), writeId: "one" };
  await store.write(at, '"first"');
  await store.write(at, '"first"');
  assert.equal(await countStates(table), 1);
  assert.equal(await store.read(at), '"first"');
  await store.stop();
});

test("a state that was followed by another goes at the second look, and the current one stays", async () => {
  const table = aTable();
  const stores = await open(table);
  const records = new Records();
  const first = await stores.write("cold", place(1), "1");
  records.set(PID, 1, 1, first);
  await stores.sweep(records.read);
  await stores.sweep(records.read);
  assert.equal(await stores.resolve(PID, first), "1");
  const second = await stores.write("cold", place(2), "2");
  await stores.sweep(records.read);
  assert.equal(await countStates(table), 2, "the second is not committed yet");
  records.set(PID, 1, 2, second);
  const third = await stores.write("cold", place(3), "3");
  records.set(PID, 1, 3, third);
  await stores.sweep(records.read);
  assert.equal(await stores.resolve(PID, first), "1");
  await stores.sweep(records.read);
  await assert.rejects(stores.resolve(PID, first), StateMissing);
  assert.equal(await stores.resolve(PID, third), "3");
});

test("a record that goes back finds its older state, because what is past is looked at twice", async () => {
  const stores = await open(aTable());
  const records = new Records();
  const first = await stores.write("cold", place(1), "1");
  const second = await stores.write("cold", place(2), "2");
  records.set(PID, 1, 2, second);
  await stores.sweep(records.read);
  records.set(PID, 1, 1, first);
  for (const _ of [1, 2, 3]) await stores.sweep(records.read);
  assert.equal(await stores.resolve(PID, first), "1");
});

test("the states of an ended life go, those of the next one and of a life that nobody ended stay", async () => {
  const table = aTable();
  const stores = await open(table);
  const records = new Records();
  const ended = await stores.write("cold", place(5), "5");
  await stores.wipe(PID, 1, ended);
  const next = await stores.write("cold", place(1, 2), "again");
  records.set(PID, 2, 1, next);
  const lost = await stores.write("cold", { ...place(1), pid: "ledger/lost" }, "without a record");
  for (const _ of [1, 2, 3]) await stores.sweep(records.read);
  await assert.rejects(stores.resolve(PID, ended), StateMissing);
  assert.equal(await stores.resolve(PID, next), "again");
  assert.equal(await stores.resolve("ledger/lost", lost), "without a record");
  await stores.wipe(PID, 2, next);
  await stores.sweep(records.read);
  assert.equal(await stores.resolve(PID, next), "again", "it was said too early");
  records.delete(PID);
  await stores.wipe(PID, 2, next);
  for (const _ of [1, 2]) await stores.sweep(records.read);
  assert.equal(await countStates(table), 1);
});

test("a state that moves into the record leaves its store", async () => {
  const table = aTable();
  const stores = await open(table);
  const records = new Records();
  const text = await stores.write("redis", place(2), "2", await stores.write("cold", place(1), "1"));
  records.set(PID, 1, 2, text);
  for (const _ of [1, 2]) await stores.sweep(records.read);
  assert.deepEqual([text, await countStates(table)], ["2", 0]);
});

test("a state is kept for as long as the setting says, twice over", async () => {
  const table = aTable();
  const stores = await open(table, { query: "keepMs=60000" });
  const records = new Records();
  records.set(PID, 1, 9, "{}");
  await stores.write("cold", place(1), "1");
  await stores.sweep(() => assert.fail("nothing is due"));
  const { rows } = await sql.query<{ wait: number }>(
    `SELECT extract(epoch FROM check_at - now())::int AS wait FROM ${table}`,
  );
  assert.ok((rows[0]?.wait ?? 0) > 50);
});

test("nodes that sweep at once look at different states, and one cluster does not see another's", async () => {
  const table = aTable();
  const nodes = [await open(table), await open(table)];
  const other = await open(table, { cluster: "gs2" });
  const records = new Records();
  records.set(PID, 1, 2_000, "{}");
  await sql.query(`INSERT INTO ${table} (cluster, pid, incarnation, revision, write_id, state, check_at)
    SELECT 'gs', '${PID}', 1, n, 'w', '{}', now() FROM generate_series(1, 1200) n`);
  await other.sweep(() => assert.fail("these are another cluster's"));
  for (const _ of [1, 2, 3]) await Promise.all(nodes.map((node) => node.sweep(records.read)));
  assert.equal(await countStates(table), 0);
});

test("a sweep that cannot read the records deletes nothing and says why", async () => {
  const table = aTable();
  const stores = await open(table);
  await stores.write("cold", place(1), "1");
  const fail = async () => {
    throw new Error("Redis is away");
  };
  for (const _ of [1, 2]) await assert.rejects(stores.sweep(fail), /Redis is away/);
  assert.equal(await countStates(table), 1);
  assert.match(await stores.write("cold", place(2), "2"), /^@cold/, "the store is not blamed");
});

test("nodes that start at once make one table, in any schema that is there", async () => {
  await sql.query("CREATE SCHEMA apart");
  const table = `apart.${aTable()}`;
  const nodes = await Promise.all([1, 2, 3, 4].map(() => open(table)));
  const references = await Promise.all(nodes.map((node, index) => node.write("cold", place(index), "{}")));
  assert.equal(new Set(references).size, 4);
});

test("a user who may only use the table can, and one who may not is told so at the start", async () => {
  const table = aTable();
  await open(table);
  await sql.query(`CREATE ROLE clerk LOGIN PASSWORD 'clerk-secret'; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO clerk`);
  const url = server.url.replace(/\/\/.*@/, "//clerk:clerk-secret@");
  const stores = await open(table, { url });
  assert.equal(await stores.resolve(PID, await stores.write("cold", place(1), "1")), "1");
  await assert.rejects(open(aTable(), { url }), isSettingError(/permission denied for schema public/));
});

test("a password in a file is read for each connection", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "secret-"));
  const passwordFile = join(folder.path, "password");
  await writeFile(passwordFile, `${server.password}\n`);
  const url = server.url.replace(/:[^:]*@/, "@");
  const stores = await open(aTable(), { url, query: `passwordFile=${passwordFile}` });
  assert.match(await stores.write("cold", place(1), "1"), /^@cold/);
});

function isSettingError(told: RegExp): (error: Error) => true {
  return (error) => {
    assert.ok(error instanceof SettingError, String(error));
    assert.match(error.message, /^STATE_STORES: the store "cold" cannot be used: /);
    assert.match(error.message, told);
    assert.doesNotMatch(error.message, /secret|w;rd|wrong-one/);
    return true;
  };
}

test("what can never work is an error at the start, without the password", async () => {
  await sql.query("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  await sql.query("CREATE DATABASE hasty");
  await sql.query("ALTER DATABASE hasty SET synchronous_commit = off");
  const at = (database: string) => server.url.replace(/\w+$/, database);
  const stranger = server.url.replace(/:[^:]*@/, ":wrong-one@");
  await assert.rejects(open("t", { url: stranger }), isSettingError(/password authentication failed/));
  await assert.rejects(open("t", { url: at("nowhere") }), isSettingError(/database "nowhere" does not exist/));
  await assert.rejects(open("nowhere.t"), isSettingError(/schema "nowhere" does not exist/));
  await assert.rejects(open("t", { url: at("latin") }), isSettingError(/must be UTF8, not LATIN1/));
  await assert.rejects(open("t", { url: at("hasty") }), isSettingError(/synchronous_commit is off/));
});

test("a statement that hangs and a server that says nothing are given up in time", async () => {
  const table = aTable();
  const stores = await open(table, { query: "timeoutMs=200" });
  const write = () => stores.write("cold", place(1), "1");
  await until(write, { withinMs: 10_000, what: "the store is usable" });
  await sql.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  const began = performance.now();
  await assert.rejects(write(), StoreUnavailable);
  await sql.query("ROLLBACK");
  await using mute = createServer((socket) => socket.resume());
  await once(mute.listen(0, "127.0.0.1"), "listening");
  const url = server.url.replace(/:\d+\//, `:${(mute.address() as { port: number }).port}/`);
  const silent = await open(table, { query: "timeoutMs=200", url });
  await assert.rejects(silent.write("cold", place(1), "1"), StoreUnavailable);
  assert.ok(performance.now() - began < 4_500);
  await until(write, { withinMs: 10_000, what: "the store is usable again" });
});

test("a server that is killed is reported at once, a node starts without it, and both go on when it is back", async () => {
  const table = aTable();
  const stores = await open(table);
  const reference = await stores.write("cold", place(1), "1");
  await server.kill();
  await assert.rejects(stores.resolve(PID, reference), StoreUnavailable);
  const refusal = await stores.write("cold", place(2), "2").catch((error: unknown) => error);
  assert.ok(refusal instanceof StoreUnavailable && refusal.retryInMs > 0 && refusal.retryInMs <= 500);
  const late = await open(table);
  await server.restart();
  for (const node of [stores, late]) {
    const read = () => node.resolve(PID, reference);
    assert.equal(await until(read, { withinMs: 5_000, what: "the store is reached" }), "1");
  }
});

test("stop is safe twice and without start", async () => {
  const stores = (await prepareStores(readStoreSettings({ STATE_STORES: `cold=${server.url}` }), "gs"))(new Events());
  await stores.stop();
  await stores.stop();
});
