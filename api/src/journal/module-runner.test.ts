import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { JournalEntry } from "@genserverless/shared/cluster/journal.ts";
import { ModuleRunner } from "./module-runner.ts";

/** The thread for authors' code, with authors who mean it well and others. */

const folder = mkdtempSync(join(import.meta.dirname, "modules-"));
const runners: ModuleRunner[] = [];
after(async () => {
  await Promise.all(runners.map((runner) => runner.stop()));
  rmSync(folder, { recursive: true });
});

const entity = (version: number, more = "") => `
import { defineEntity } from "genserverless";
export default defineEntity({
  name: "sum",
  version: ${version},
  initial: () => ({ total: 0 }),
  events: {
    added: (by: number, { total }) => ({ total: total + by }),
    spun: (_: unknown, state) => { for (;;) if (!state) return state; },
    left: () => process.exit(3),
  },
  commands: {},
  ${more}
});`;

function make(files: Record<string, string>, { limitMs = 20_000, generation = () => 1 as unknown } = {}): ModuleRunner {
  const dir = mkdtempSync(join(folder, "m-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const runner = new ModuleRunner({ modulesDirs: [dir], limitMs, generation });
  runners.push(runner);
  return runner;
}

const entries = (...types: string[]): JournalEntry[] =>
  types.map((type, index) => ({ sequence: index + 1, type, dataText: "1", version: 1, at: 1, messageId: "m" }));

async function* inPages(all: JournalEntry[]): AsyncGenerator<JournalEntry[]> {
  for (let at = 0; at < all.length; at += 2) yield all.slice(at, at + 2);
}

const job = { module: "sum", pid: "sum/a", key: "a", snapshot: undefined };
const recover = (runner: ModuleRunner, ...types: string[]) => runner.recover(job, () => inPages(entries(...types)));

test("a state is made of pages, behind a snapshot or of all of them where the module cannot use that", async () => {
  const runner = make({ "sum.ts": entity(2) });
  const all = entries("added", "added", "added", "added", "added");
  const ran = await runner.recover(job, () => inPages(all));
  assert.deepEqual([ran.kind, ran.stateText, ran.isWhole], ["done", '{"total":5}', false]);
  const open = (isWhole: boolean) => inPages(isWhole ? all : all.slice(4));
  const current = { sequence: 4, version: 2, stateText: '{"total":40}' };
  assert.equal((await runner.recover({ ...job, snapshot: current }, open)).stateText, '{"total":41}');
  const old = await runner.recover({ ...job, snapshot: { ...current, version: 1 } }, open);
  assert.deepEqual([old.stateText, old.isWhole], ['{"total":5}', true]);
});

test("what the module cannot do is told, and what cannot be read is rejected with; the thread goes on", async () => {
  const runner = make({ "sum.ts": entity(1) });
  const unknown = await recover(runner, "added", "multiplied");
  assert.deepEqual([unknown.kind, /^event 2 of sum\/a, multiplied/.test(unknown.error)], ["failed", true]);
  const missing = await runner.recover({ ...job, module: "none" }, () => inPages([]));
  assert.equal(missing.error, "there is no journaled module none");
  async function* broken(): AsyncGenerator<JournalEntry[]> {
    yield entries("added");
    throw new RangeError("torn");
  }
  await assert.rejects(
    runner.recover(job, () => broken()),
    RangeError,
  );
  assert.equal((await recover(runner, "added")).stateText, '{"total":1}');
});

test("code that loops or ends its thread is ended, and those who wait come next", async () => {
  const runner = make({ "sum.ts": entity(1) }, { limitMs: 2_000 });
  const [late, next] = await Promise.all([recover(runner, "spun"), recover(runner, "added")]);
  assert.deepEqual([late.kind, late.error], ["late", "was not done within 2000 ms"]);
  assert.deepEqual([next.kind, next.stateText], ["done", '{"total":1}']);
  assert.equal((await recover(runner, "left")).kind, "ended");
  assert.equal((await recover(runner, "added")).kind, "done");
});

test("modules that have changed are loaded anew, and those that cannot be loaded are a rejection", async () => {
  let generation = 1;
  const runner = make({ "sum.ts": entity(1) }, { generation: () => generation });
  assert.equal((await recover(runner, "added")).stateText, '{"total":1}');
  const dir = mkdtempSync(join(folder, "m-"));
  writeFileSync(join(dir, "broken.ts"), "export default 1;");
  const broken = new ModuleRunner({ modulesDirs: [dir], limitMs: 20_000 });
  runners.push(broken);
  await assert.rejects(recover(broken, "added"), /not made by defineServer/);
  generation = 2;
  assert.equal((await recover(runner, "added", "added")).stateText, '{"total":2}');
});

test("stop is safe twice, and without a job", async () => {
  const runner = make({ "sum.ts": entity(1) });
  await runner.stop();
  await runner.start();
  await recover(runner, "added");
  await runner.stop();
  await runner.stop();
});
