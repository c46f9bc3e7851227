import assert from "node:assert/strict";
import { test } from "node:test";
import { type JournalEntry, JournalError } from "genserverless/journaled.ts";
import { readEvent, readSnapshot, readValueEvent, toEvent, toState, toValueEvent } from "./stored-any.ts";

const any = { type_url: "type.googleapis.com/a.B", value: Buffer.from([0, 1, 255]) };

function entry(type: string, dataText: string): JournalEntry {
  return { sequence: 7, version: 1, at: 0, messageId: "0-x", type, dataText };
}

test("an event is read as it was written, with the entity's id where its name does not say it", () => {
  for (const entityId of [undefined, "long"]) {
    const { type, dataText } = toEvent(any, entityId);
    assert.deepEqual(readEvent(entry(type, dataText)), { any, entityId });
  }
  assert.equal(toEvent(any, undefined).dataText, '"AAH/"');
});

test("a snapshot, and a value that was deleted, are read as they were written", () => {
  const read = (state: unknown) => readSnapshot({ sequence: 5, version: 1, stateText: JSON.stringify(state) });
  assert.deepEqual(read(toState(any, undefined)), { any, entityId: undefined });
  assert.deepEqual(read(toState({ ...any, value: Buffer.alloc(0) }, "x")).any?.value.length, 0);
  assert.deepEqual(read(toState(undefined, undefined)), { any: undefined, entityId: undefined });
  assert.deepEqual(read(toState(undefined, "x")), { any: undefined, entityId: "x" });
  assert.equal(toValueEvent(any, undefined).type, "updated");
  const deleted = toValueEvent(undefined, undefined);
  assert.equal(deleted.type, "deleted");
  assert.deepEqual(readValueEvent(entry(deleted.type, deleted.dataText)).any, undefined);
});

test("what was not written so is a JournalError that says where", () => {
  for (const dataText of ["torn", "5", '"***"', "{}", '{"value":5}', "null"]) {
    assert.throws(() => readEvent(entry("a", dataText)), isJournalError, dataText);
  }
  for (const stateText of ["torn", '"AAH/"', '{"value":"AAH/"}', '{"typeUrl":"a","value":"***"}', '{"typeUrl":"a"}']) {
    assert.throws(() => readSnapshot({ sequence: 7, version: 1, stateText }), isJournalError, stateText);
  }
});

function isJournalError(error: unknown): boolean {
  return error instanceof JournalError && /\b7\b/.test(error.message);
}
