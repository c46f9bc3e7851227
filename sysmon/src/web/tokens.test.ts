import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readTokens } from "./tokens.ts";

const GIVEN = "given-by-somebody";

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sysmon-token-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("a token that is given is taken, and nobody needs to be told it", () => {
  assert.deepEqual(readTokens({ SYSMON_TOKEN: GIVEN }), { act: GIVEN, read: undefined, isNew: false });
});

test("without one it is made, kept in the file for its owner only, and the same the next time", (t) => {
  const file = join(makeFolder(t), "token");
  const { act, isNew } = readTokens({ SYSMON_TOKEN_FILE: file });
  assert.match(act, /^[0-9a-f]{48}$/);
  assert.ok(isNew);
  assert.equal(readFileSync(file, "utf8"), act);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(readTokens({ SYSMON_TOKEN_FILE: file }).act, act);
});

test("one that only reads is kept in a file too, where it is not given", (t) => {
  const file = join(makeFolder(t), "token");
  writeFileSync(file, `${GIVEN}\n`);
  assert.equal(readTokens({ SYSMON_READ_TOKEN_FILE: file }).read, GIVEN);
  const given = { SYSMON_READ_TOKEN: "another-token-0000", SYSMON_READ_TOKEN_FILE: file };
  assert.equal(readTokens(given).read, "another-token-0000");
});

test("without a file each start has its own", () => {
  assert.notEqual(readTokens({}).act, readTokens({}).act);
});

test("a token or a file that is no good is an error that names the setting", (t) => {
  const empty = join(makeFolder(t), "token");
  writeFileSync(empty, "");
  for (const bad of ["a b", "fifteen-letters", "x".repeat(513)])
    for (const name of ["SYSMON_TOKEN", "SYSMON_READ_TOKEN"])
      assert.throws(
        () => readTokens({ [name]: bad }),
        new RegExp(`${name} must be 16 to 512 visible ASCII characters`),
      );
  assert.throws(
    () => readTokens({ SYSMON_TOKEN: GIVEN, SYSMON_READ_TOKEN: GIVEN }),
    /SYSMON_READ_TOKEN must not be the same/,
  );
  assert.throws(() => readTokens({ SYSMON_TOKEN_FILE: empty }), /SYSMON_TOKEN_FILE .* it is empty/);
  assert.throws(() => readTokens({ SYSMON_READ_TOKEN_FILE: empty }), /SYSMON_READ_TOKEN_FILE .* it is empty/);
  assert.throws(() => readTokens({ SYSMON_TOKEN_FILE: join(empty, "x") }), /SYSMON_TOKEN_FILE .*ENOTDIR/);
});
