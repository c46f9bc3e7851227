import assert from "node:assert/strict";
import { test } from "node:test";
import { type EventDocument, findJournalFault, toJournalArguments } from "./journal-document.ts";

const events = (from: number, to: number): EventDocument[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({
    sequence: from + index,
    type: "added",
    data: index,
    version: 1,
    at: 7,
    messageId: "m",
  }));
const snapshot = (sequence: number) => ({ sequence, version: 1, state: { n: sequence } });

test("a journal without a gap can be imported, from its first event or from its base", () => {
  assert.equal(findJournalFault({ events: [] }), undefined);
  assert.equal(findJournalFault({ events: events(1, 5), snapshot: snapshot(5) }), undefined);
  assert.equal(findJournalFault({ base: snapshot(10), snapshot: snapshot(12), events: events(11, 15) }), undefined);
});

test("an event out of its place, and a snapshot of none, are found", () => {
  assert.match(findJournalFault({ events: events(2, 3) }) ?? "", /event 1 is not where it belongs/);
  const gap = [...events(1, 2), ...events(4, 4)];
  assert.match(findJournalFault({ events: gap }) ?? "", /event 3 is not/);
  assert.match(findJournalFault({ events: events(1, 2), snapshot: snapshot(3) }) ?? "", /its snapshot is of event 3/);
  const early = { base: snapshot(10), snapshot: snapshot(9), events: events(11, 12) };
  assert.match(findJournalFault(early) ?? "", /its snapshot is of event 9/);
  assert.match(findJournalFault({ base: snapshot(2), events: events(3, 4) }) ?? "", /a base and no snapshot/);
});

test("what is imported is what commits write", () => {
  assert.deepEqual(toJournalArguments({ base: snapshot(1), snapshot: snapshot(2), events: events(2, 3) }), {
    recordText: '#2 1 {"n":2}',
    baseText: '#1 1 {"n":1}',
    last: 3,
    words: ["added", "0", 1, 7, "m", "added", "1", 1, 7, "m"],
  });
  assert.deepEqual(toJournalArguments({ events: [] }), { recordText: "#0", baseText: "", last: 0, words: [] });
});
