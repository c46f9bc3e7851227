import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogLine, RunView } from "@genserverless/shared/functions/views.ts";
import { countColumns } from "@genserverless/shared/text/printable.ts";
import fc from "fast-check";
import { KEYS } from "../terminal/keys.ts";
import { viewFrame } from "./frame.ts";
import { outlineJson } from "./json-outline.ts";
import { textOf } from "./line.ts";
import { type Model, TABS } from "./model.ts";
import { clusterView, nodeView } from "./sample.test-support.ts";
import { cronView, functionsView, projectView } from "./sample-functions.test-support.ts";
import { logEntry, model, processView } from "./sample-model.test-support.ts";

function show(shown: Model, width = 80, height = 24): string[] {
  return viewFrame(shown, KEYS, width, height).map((line) => textOf(line).trimEnd());
}

const HOSTILE = "\x1b[2J{bold}名前<b>\u202e\u200d🚀{/bold}\r\n";

function hostileModel(tab: Model["tab"], text: string): Model {
  const process = processView({ pid: `m/${text}`, owner: text, reason: text, tags: [text] });
  const base = model();
  const log = { ...base.log, filter: text, entries: [logEntry({ msg: text, node: text, pid: text, [text]: text })] };
  return {
    ...base,
    tab,
    picture: { view: clusterView([nodeView({ name: text, host: text, modules: [text] })]), ageMs: 0, away: false },
    processes: { ...base.processes, rows: [{ ...process, lastError: text }], filter: text, error: text },
    process: {
      ...base.process,
      pid: process.pid,
      view: process,
      state: outlineJson({ [text]: text }),
      ties: {
        timers: [{ name: text, dueAtMs: 0, goesOn: text }],
        monitors: [text],
        links: [text],
        groups: [text],
        stateBytes: 1,
      },
      commits: [{ atMs: 0, revision: 1, turns: 1, messages: [text] }],
      deadLetters: [
        { messageId: "1-1", kind: "cast", message: text, reason: text, stack: [], deaths: 0, node: text, failedAt: "" },
      ],
      error: text,
    },
    log,
    events: log,
    functions: hostileFunctions(text),
  };
}

/** One open where the text is long, so that both are seen. */
function hostileFunctions(text: string): Model["functions"] {
  const run = { id: text, dueAt: text, status: text as RunView["status"], error: text };
  const view = cronView({ project: text, name: text, schedule: text, timezone: text, commit: text, runs: [run] });
  const project = projectView({ name: text, repository: text, commit: text, functions: [view, view] });
  const line: LogLine = { at: 0, commit: text, sandbox: 1, stream: "stdout", text };
  const page = { project: text, name: text, view, lines: [line], back: 0, error: text };
  const isOpen = text.length > HOSTILE.length + 3;
  return { view: functionsView([project]), chosen: 1, page: isOpen ? page : undefined, error: text };
}

test("the head says how the cluster is, the tabs which one is open, the last row which keys there are", () => {
  const lines = show(model());
  assert.equal(lines.length, 24);
  assert.match(lines[0] ?? "", /^ genserverless {2}1 nodes {2}Redis 7\.0\.15, 3\.3 MiB of 256 MiB used +12:00:00Z$/);
  assert.equal(lines[1]?.trim(), "1 nodes   2 processes   3 process   4 log   5 events   6 functions");
  assert.match(lines[23] ?? "", /^1-6 tabs {2}q quit {2}\? help/);
});

test("whatever is shown, in a window of any size, there are as many rows as it has and none is wider", () => {
  const prompts = fc.constantFrom(undefined, { question: "Kill m/k?" }, { question: "filter", typed: HOSTILE });
  fc.assert(
    fc.property(
      fc.constantFrom(...TABS),
      fc.integer({ min: 1, max: 140 }),
      fc.integer({ min: 1, max: 50 }),
      fc.string({ unit: "grapheme" }),
      prompts,
      fc.boolean(),
      (tab, width, height, text, prompt, isHelpShown) => {
        const shown = { ...hostileModel(tab, `${HOSTILE}${text}`), prompt, isHelpShown };
        const lines = viewFrame(shown, KEYS, width, height).map(textOf);
        assert.equal(lines.length, height);
        for (const line of lines) {
          assert.ok(countColumns(line) <= width, `${countColumns(line)} columns: ${line}`);
          assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u);
        }
      },
    ),
  );
});

test("while Redis is away the last picture stays, quiet, and the head says how old it is", () => {
  const here = viewFrame(model(), KEYS, 80, 24);
  const away = viewFrame(model({ picture: { view: clusterView(), ageMs: 12_000, away: true } }), KEYS, 80, 24);
  assert.match(textOf(away[0] ?? []), /Redis is away: the last picture is 12s old/);
  assert.ok(away.some((line) => textOf(line).includes("worker@worker-1")));
  const tones = (lines: typeof here) => new Set(lines.slice(2, -1).flatMap((line) => line.map(({ tone }) => tone)));
  assert.ok(tones(here).size > 2);
  assert.deepEqual(
    [...tones(away)].filter((tone) => tone !== "plain"),
    ["quiet"],
  );
});

test("20 columns and 5 rows show the head, the tabs, a process and the keys", () => {
  const lines = show(model({ tab: "processes" }), 20, 5);
  assert.equal(lines.length, 5);
  assert.match(lines[1] ?? "", /^ 1 .* 6$/);
  assert.match(lines[2] ?? "", /^accumulator\/alice/);
});

test("a question and an answer take the place of the keys", () => {
  assert.equal(show(model({ prompt: { question: "Kill m/k?" } })).at(-1), "Kill m/k? y or n");
  assert.match(
    show(model({ prompt: { question: "filter", typed: "module=stack" } })).at(-1) ?? "",
    /^filter module=stack/,
  );
  assert.equal(show(model({ notice: { text: "kill m/k: {}", isBad: false } })).at(-1), "kill m/k: {}");
  const long = show(model({ prompt: { question: "cast", typed: `${"x".repeat(200)}end` } }), 40).at(-1) ?? "";
  assert.ok(long.endsWith("end"), "what is typed is seen at its end");
});

test("what is typed in wide characters, and after a long question, is seen at its end", () => {
  for (const [question, width] of [
    ["call accumulator/alice, JSON", 80],
    ["タグ", 30],
    ["call accumulator/alice, JSON", 20],
  ] as const) {
    const foot = viewFrame(model({ prompt: { question, typed: `${"名前".repeat(100)}終` } }), KEYS, width, 24).at(-1);
    assert.ok(textOf(foot ?? []).endsWith("名前終 "), textOf(foot ?? []));
    assert.equal(foot?.at(-1)?.tone, "chosen", "the cursor is seen");
  }
  const asked = show(model({ prompt: { question: `${"名".repeat(100)}?` } }), 30).at(-1) ?? "";
  assert.match(asked, /^名+… y or n$/);
});

test("the help has every key of the table", () => {
  const help = viewFrame(model({ isHelpShown: true }), KEYS, 100, 80)
    .map(textOf)
    .join("\n");
  for (const { keys, help: words } of KEYS) {
    assert.ok(help.includes(keys.join(" ")), keys.join(" "));
    assert.ok(help.includes(words), words);
  }
});
