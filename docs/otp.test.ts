/** docs/otp.md lists all of Elixir's GenServer, and each row names tests that exist. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "..");
const PAGE = readFileSync(join(ROOT, "docs/otp.md"), "utf8");

/** What Elixir's documentation of GenServer has, and of its neighbours what a GenServer uses. */
const CALLBACKS = ["init/1", "handle_call/3", "handle_cast/2", "handle_info/2", "handle_continue/2", "terminate/2"];
const MORE_CALLBACKS = ["code_change/3", "format_status/1"];
const RETURNS = [
  "{:ok, state}",
  "{:ok, state, {:continue, term}}",
  "{:ok, state, timeout}",
  "{:ok, state, :hibernate}",
  ":ignore",
  "{:stop, reason}",
  "{:reply, reply, state}",
  "{:reply, reply, state, next}",
  "{:noreply, state}",
  "{:noreply, state, {:continue, term}}",
  "{:noreply, state, timeout}",
  "{:noreply, state, :hibernate}",
  "{:stop, reason, reply, state}",
  "{:stop, reason, state}",
];
const FUNCTIONS = [
  "abcast/2",
  "abcast/3",
  "call/3",
  "cast/2",
  "multi_call/2",
  "multi_call/3",
  "multi_call/4",
  "reply/2",
];
const MORE_FUNCTIONS = ["start/3", "start_link/3", "stop/3", "whereis/1"];
const OPTIONS = [":name", ":timeout", ":debug", ":spawn_opt", ":hibernate_after", "child_spec/1"];
const PROCESS = ["monitor/1", "demonitor/2", "link/1", "unlink/1", "exit/2", "send_after/4", "cancel_timer/2"];
const CHILDREN = ["start_child/2", "terminate_child/2", "restart_child/2", "delete_child/2", "which_children/1"];

const LISTED: Record<string, readonly string[]> = {
  Callbacks: [...CALLBACKS, ...MORE_CALLBACKS],
  Returns: RETURNS,
  Functions: [...FUNCTIONS, ...MORE_FUNCTIONS],
  "Options and the rest": OPTIONS,
  Process: [...PROCESS, "flag(:trap_exit, true)", "send/2"],
  "Groups and registries": [":pg.join/2", ":pg.leave/2", ":pg.get_members/1", "Registry.dispatch/3"],
  Supervisor: [...CHILDREN, "count_children/1", ":strategy", ":max_restarts", ":max_seconds", ":restart", ":shutdown"],
};

/** The rows below a heading, each a list of its cells. */
function readTable(heading: string): string[][] {
  const section = PAGE.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
  assert.ok(section, `the page has no heading "${heading}"`);
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  return rows.slice(2).map((line) => line.split("|").slice(1, -1));
}

const FOLDERS: [short: RegExp, path: string][] = [
  [/^contract\/(.+)$/, "test/contract/cases/$1.ts"],
  [/^(story|http|fire)\/(.+)$/, "test/$1/$2.test.ts"],
  [/^(sdk|shared)\/(.+)$/, "$1/src/$2.test.ts"],
  [/^modules\/(.+)$/, "modules/$1.test.ts"],
  [/^supervisor$/, "sdk/src/supervisor/supervisor.test.ts"],
];

/** The tests that a text names: a file in backticks, and right behind it names in quotes. */
function readTests(text: string): { file: string; name: string }[] {
  const named = text.replaceAll(/\s+/g, " ").matchAll(/`([a-z]+(?:\/[\w/-]+)?)`((?:,? "[^"]+")+)/g);
  return [...named].flatMap(([, short = "", names = ""]) => {
    const [pattern, path] = FOLDERS.find(([folder]) => folder.test(short)) ?? [/.*/, short];
    const file = short.replace(pattern, path);
    return [...names.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => ({ file, name }));
  });
}

function hasTest(path: string, name: string): boolean {
  const source = readFileSync(path, "utf8");
  return [`test("${name}"`, `name: "${name}"`, `test(\n  "${name}"`].some((text) => source.includes(text));
}

test("lists every callback, return and function of Elixir's documentation", () => {
  for (const [heading, wanted] of Object.entries(LISTED)) {
    const first = readTable(heading).map(([cell = ""]) => cell);
    for (const name of wanted) {
      assert.ok(
        first.some((cell) => cell.includes(`\`${name}\``)),
        `${heading} does not list ${name}`,
      );
    }
  }
});

test("names a test in every row of every table", () => {
  const rows = PAGE.split("\n").filter((line) => line.startsWith("| ") && !/^\| (---|.* \| tests \|$)/.test(line));
  assert.ok(rows.length > 100);
  for (const row of rows) {
    const last = row.split("|").at(-2) ?? "";
    assert.ok(readTests(last).length > 0, `no test beside ${row.slice(0, 80)}`);
  }
});

test("names no test that does not exist", () => {
  const missing = readTests(PAGE.replaceAll(/```.*?```/gs, "")).flatMap(({ file, name }) => {
    const path = join(ROOT, file);
    return existsSync(path) && hasTest(path, name) ? [] : [`${file}: ${name}`];
  });
  assert.deepEqual(missing, []);
});

test("lists each line of the seeds' wishes, faults and acceptance", () => {
  const ids = readTable("What the seeds wished for, and what they broke").map(([id = ""]) => id);
  const wanted = [
    "GS 1.6",
    "PG 2.2",
    "PG 2.4",
    ...Array.from({ length: 6 }, (_, index) => `GS 1.7.${index + 1}`),
    ...Array.from({ length: 10 }, (_, index) => `GS 1.8.${index + 1}`),
    ...Array.from({ length: 9 }, (_, index) => `PG 2.3.${index + 1}`),
  ];
  const listed = ids.flatMap((cell) => cell.split(",").map((id) => id.trim()));
  assert.deepEqual(
    wanted.filter((id) => !listed.includes(id)),
    [],
  );
});
