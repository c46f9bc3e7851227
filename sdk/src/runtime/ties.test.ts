import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Pid } from "../contract.ts";
import { Ties, type Timer } from "./ties.ts";

const timer: Timer = { id: "0-1", dueAt: 5, everyMs: 10, messageText: '"tick"' };

test("remembers timers, monitors, links and groups, each kind apart", () => {
  const ties = new Ties();
  ties.setTimer("same", timer);
  ties.setMonitor("same", "a/b");
  ties.addLink("a/same", "ref");
  ties.setMember("same");
  assert.deepEqual(ties.timer("same"), timer);
  assert.equal(ties.monitor("same"), "a/b");
  assert.ok(ties.isLinked("a/same") && ties.isMember("same"));
  assert.equal(ties.size, 4);
  assert.ok(ties.deleteTimer("same"));
  assert.equal(ties.timer("same"), undefined);
  assert.equal(ties.monitor("same"), "a/b");
  assert.ok(ties.deleteMonitor("same") && ties.removeLink("a/same", ["ref"]) && ties.deleteMember("same"));
  assert.equal(ties.size, 0);
});

test("says whether there was anything to delete", () => {
  const ties = new Ties();
  for (const deleted of [
    ties.deleteTimer("x"),
    ties.deleteMonitor("x"),
    ties.removeLink("a/x", ["ref"]),
    ties.deleteMember("x"),
  ]) {
    assert.equal(deleted, false);
  }
  assert.deepEqual(ties.keep(), []);
});

test("is written as fields of one hash, and read back from them", () => {
  const ties = new Ties();
  ties.setTimer("t", timer);
  ties.setMonitor("r", "a/b");
  ties.addLink("a/c", "one");
  ties.addLink("a/c", "two");
  ties.setMember("g");
  const fields = [...ties.entries()];
  assert.deepEqual(
    fields.map(([field]) => field),
    ["t:t", "m:r", "l:a/c", "g:g"],
  );
  const read = new Ties(fields);
  assert.deepEqual(read.timer("t"), timer);
  assert.deepEqual(read.linkRefs("a/c"), ["one", "two"]);
  assert.deepEqual([...read.entries()], fields);
  assert.deepEqual(read.keep(), []);
});

test("a link has the references of all who made it, and is there until the last of them is gone", () => {
  const ties = new Ties();
  for (const ref of ["own", "other", "own"]) ties.addLink("a/b", ref);
  assert.deepEqual(ties.linkRefs("a/b"), ["own", "other"]);
  assert.equal(ties.size, 1);
  assert.equal(ties.removeLink("a/b", ["earlier"]), false);
  assert.equal(ties.removeLink("a/b", ["own", "earlier"]), true);
  assert.ok(ties.isLinked("a/b"));
  assert.equal(ties.removeLink("a/b", ["other"]), true);
  assert.equal(ties.isLinked("a/b"), false);
  assert.deepEqual(ties.linkRefs("a/b"), []);
});

test("tells a commit what its turns have changed, once", () => {
  const ties = new Ties([["l:a/b", "ref"]]);
  ties.setMember("g");
  ties.removeLink("a/b", ["ref"]);
  ties.setMonitor("r", "a/c");
  assert.deepEqual(ties.keep(), [
    ["g:g", "1"],
    ["l:a/b", undefined],
    ["m:r", "a/c"],
  ]);
  assert.deepEqual(ties.keep(), []);
});

interface Step {
  kind: "set" | "delete";
  what: "timer" | "monitor" | "link" | "member";
  name: string;
  value: number;
}

function take(ties: Ties, { kind, what, name, value }: Step): void {
  const pid: Pid = `a/${name}`;
  if (what === "timer")
    kind === "set" ? ties.setTimer(name, { id: `0-${value}`, dueAt: value }) : ties.deleteTimer(name);
  if (what === "monitor") kind === "set" ? ties.setMonitor(name, `a/${value}`) : ties.deleteMonitor(name);
  if (what === "link") kind === "set" ? ties.addLink(pid, `r${value}`) : ties.removeLink(pid, [`r${value}`]);
  if (what === "member") kind === "set" ? ties.setMember(name) : ties.deleteMember(name);
}

test("a turn that does not count leaves no trace, and the changes of those that do make the same ties elsewhere", () => {
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom("set", "delete"),
    what: fc.constantFrom("timer", "monitor", "link", "member"),
    name: fc.constantFrom("x", "y"),
    value: fc.nat(3),
  });
  const turn = fc.record({ counts: fc.boolean(), steps: fc.array(step, { maxLength: 6 }) });
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 8 }), (turns) => {
      const ties = new Ties();
      const stored = new Map<string, string>();
      for (const { counts, steps } of turns) {
        const before = new Map(ties.entries());
        for (const each of steps) take(ties, each);
        if (counts) {
          for (const [field, text] of ties.keep()) text === undefined ? stored.delete(field) : stored.set(field, text);
        } else {
          ties.undo();
          assert.deepEqual(new Map(ties.entries()), before);
        }
        assert.deepEqual(new Map(ties.entries()), stored);
      }
    }),
  );
});
