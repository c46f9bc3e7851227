import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readTokens } from "./tokens.ts";

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sysmon-token-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("a token that is given is taken, and nobody needs to be told it", () => {
  assert.deepEqual(readTokens({ SYSMON_TOKEN: "abc" }), { act: "abc", read: undefined, isNew: false });
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

test("without a file each start has its own", () => {
  assert.notEqual(readTokens({}).act, readTokens({}).act);
});

test("a token or a file that is no good is an error that names the setting", (t) => {
  const empty = join(makeFolder(t), "token");
  writeFileSync(empty, "");
  assert.throws(() => readTokens({ SYSMON_TOKEN: "a b" }), /SYSMON_TOKEN must be/);
  assert.throws(
    () => readTokens({ SYSMON_TOKEN: "a", SYSMON_READ_TOKEN: "a" }),
    /SYSMON_READ_TOKEN must not be the same/,
  );
  assert.throws(() => readTokens({ SYSMON_TOKEN_FILE: empty }), /SYSMON_TOKEN_FILE .* it is empty/);
  assert.throws(() => readTokens({ SYSMON_TOKEN_FILE: join(empty, "x") }), /SYSMON_TOKEN_FILE .*ENOTDIR/);
});
