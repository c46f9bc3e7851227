import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SettingError } from "../service/env.ts";
import { readStoreSettings } from "./settings.ts";

const read = (text: string) => readStoreSettings({ STATE_STORES: text });

test("there are no stores where none are named", () => {
  assert.deepEqual(readStoreSettings({}), []);
  assert.deepEqual(read(" ; "), []);
});

test("stores are told apart by name, each with its own settings", () => {
  const [cold, archive, ...rest] = read(
    "cold=postgres://me:p%40ss%3Bw@db.example:6000/main?table=app.states&pool=2&timeoutMs=900&keepMs=60000; archive=postgresql://me@[::1]/old",
  );
  assert.deepEqual(rest, []);
  assert.deepEqual(cold, {
    name: "cold",
    host: "db.example",
    port: 6000,
    database: "main",
    user: "me",
    password: "p@ss;w",
    passwordFile: "",
    table: "app.states",
    pool: 2,
    timeoutMs: 900,
    keepMs: 60_000,
    tls: false,
  });
  assert.deepEqual(
    [archive?.name, archive?.host, archive?.port, archive?.table, archive?.password],
    ["archive", "::1", 5432, "genserverless_states", ""],
  );
});

test("TLS verifies the server unless told not to", () => {
  const tls = (query: string) => read(`cold=postgres://me@db/main?${query}`)[0]?.tls;
  assert.deepEqual(tls("sslmode=verify-full"), { rejectUnauthorized: true });
  assert.deepEqual(tls("sslmode=no-verify"), { rejectUnauthorized: false });
});

const WRONG: [what: string, text: string, told: RegExp][] = [
  ["no name", "postgres://me:hunter2@db/main", /must be <name>=<url>/],
  ["a name that no module could use", "c old=postgres://me:hunter2@db/main", /must be <name>=<url>/],
  ["the record's own name", "redis=postgres://me:hunter2@db/main", /cannot name a store "redis"/],
  ["one name twice", "a=postgres://me:hunter2@db/x;a=postgres://me:hunter2@db/y", /"a" twice/],
  ["another kind of database", "a=mysql://me:hunter2@db/main", /"a" no URL of the form postgres:/],
  ["no URL", "a=hunter2", /"a" no URL of the form postgres:/],
  ["no database", "a=postgres://me:hunter2@db", /"a" a URL without a database/],
  ["no user", "a=postgres://db/main", /"a" a URL without a user/],
  ["no host", "a=postgres:///main", /"a" a URL without a host/],
  ["a port out of range", "a=postgres://me:hunter2@db:70000/main", /"a" no URL/],
  ["a password that should be encoded", "a=postgres://me:hun;ter=2@db/main", /"a" no URL/],
  ["a lonely %", "a=postgres://me:hunter2%@db/main", /wrongly encoded/],
  [
    "a parameter that nobody knows",
    "a=postgres://me:hunter2@db/main?poll=3",
    /the parameter "poll"; each of table, pool/,
  ],
  ["a parameter twice", "a=postgres://me:hunter2@db/main?pool=3&pool=4", /the parameter "pool"/],
  [
    "a pool of none",
    "a=postgres://me:hunter2@db/main?pool=0",
    /the pool "0"; it must be a whole number from 1 to 1000/,
  ],
  ["a time in words", "a=postgres://me:hunter2@db/main?timeoutMs=5s", /the timeoutMs "5s"; .* from 100 to 60000/],
  ["a table that is no plain name", "a=postgres://me:hunter2@db/main?table=x;drop", /must be <name>=<url>/],
  ["a table in quotes", "a=postgres://me:hunter2@db/main?table=%22x%22", /the table .* a name or schema.name/],
  ["a mode that would mislead", "a=postgres://me:hunter2@db/main?sslmode=require", /sslmode "require"; .* verify-full/],
  [
    "a password file that is not there",
    "a=postgres://me@db/main?passwordFile=/no/such",
    /passwordFile "\/no\/such"; .* read/,
  ],
];

for (const [what, text, told] of WRONG) {
  test(`${what} is an error that names the fault and keeps the password to itself`, () => {
    assert.throws(
      () => read(text),
      (error: Error) => {
        assert.ok(error instanceof SettingError);
        assert.match(error.message, /^STATE_STORES /);
        assert.match(error.message, told);
        assert.doesNotMatch(error.message, /hunter2|ter=2/);
        return true;
      },
    );
  });
}

test("the page on stores lists every parameter with its default", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/stores.md"), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)` \| (?:`(\w+)`)? ?\|/gm)].map(([, name, value = ""]) => [name, value]);
  const [settings] = read("a=postgres://me@db/main");
  const { table, pool, timeoutMs, keepMs } = settings ?? assert.fail();
  const defaults = { table, pool, timeoutMs, keepMs, passwordFile: "", sslmode: "disable", sslrootcert: "" };
  assert.deepEqual(
    rows,
    Object.entries(defaults).map(([name, value]) => [name, String(value)]),
  );
  const known = Object.keys(defaults).join(", ");
  assert.throws(
    () => read("a=postgres://me@db/main?x=1"),
    (error: Error) => error.message.includes(`each of ${known} may`),
  );
});
