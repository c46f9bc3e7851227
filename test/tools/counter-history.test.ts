import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type CounterAdd, CounterHistory, checkCounters, type Violation } from "./counter-history.ts";

const acknowledged = (total: number, sentAt: number, answeredAt: number, amount = 1): CounterAdd => ({
  key: "a",
  amount,
  sentAt,
  answeredAt,
  outcome: { kind: "acknowledged", total },
});
const unknown = (sentAt: number, amount = 1): CounterAdd => ({
  ...acknowledged(0, sentAt, sentAt + 1, amount),
  outcome: { kind: "unknown" },
});
const refused = (sentAt: number): CounterAdd => ({ ...unknown(sentAt), outcome: { kind: "refused" } });

function check(adds: CounterAdd[], final?: number, initial = 0): Violation[] {
  return checkCounters(adds, final === undefined ? { initial } : { initial, finals: new Map([["a", final]]) });
}
const rules = (violations: Violation[]) => violations.map(({ rule }) => rule);

test("adds one after the other, concurrent adds in any order, and other processes are right", () => {
  assert.deepEqual(check([acknowledged(1, 0, 1), acknowledged(2, 2, 3)], 2), []);
  assert.deepEqual(check([acknowledged(2, 0, 9), acknowledged(1, 1, 8), acknowledged(3, 2, 7)], 3), []);
  assert.deepEqual(check([acknowledged(105, 0, 1, 5)], 105, 100), []);
  assert.deepEqual(check([acknowledged(1, 0, 1), { ...acknowledged(1, 2, 3), key: "b" }]), []);
});

test("one total answered to two callers is a violation that names both", () => {
  const [found] = check([acknowledged(1, 0, 1), acknowledged(1, 0, 2)], 1);
  assert.equal(found?.rule, "distinct");
  assert.match(found?.explanation ?? "", /\+1 → 1 .* overlaps: another was answered 1 \(\+1 → 1/);
});

test("an add that swallows a part of another is a violation", () => {
  assert.deepEqual(rules(check([acknowledged(3, 0, 1, 3), acknowledged(5, 0, 2, 4)])), ["distinct"]);
  assert.deepEqual(rules(check([acknowledged(1, 0, 1)], undefined, 5)), ["distinct"]);
});

test("a total that is lower than one answered before it was sent is a violation", () => {
  assert.deepEqual(rules(check([acknowledged(2, 0, 1), acknowledged(1, 2, 3)])), ["real-time"]);
});

test("an acknowledged add that is missing from the final total is a violation", () => {
  const [found] = check([acknowledged(1, 0, 1), acknowledged(2, 0, 1)], 1);
  assert.match(found?.explanation ?? "", /final total 1 is below 2/);
});

test("an add that was counted twice is a violation, wherever it shows", () => {
  assert.deepEqual(rules(check([acknowledged(1, 0, 1), acknowledged(3, 2, 3)])), ["explained"]);
  assert.deepEqual(rules(check([acknowledged(1, 0, 1)], 2)), ["explained"]);
  assert.deepEqual(rules(check([acknowledged(1, 0, 1), refused(2)], 2)), ["explained"]);
  assert.deepEqual(rules(check([], 1)), ["explained"]);
});

test("an unknown add may have happened once, or not, from the moment it was sent", () => {
  assert.deepEqual(check([acknowledged(1, 0, 1), unknown(2)], 1), []);
  assert.deepEqual(check([acknowledged(1, 0, 1), unknown(2)], 2), []);
  assert.deepEqual(rules(check([acknowledged(1, 0, 1), unknown(2)], 3)), ["explained"]);
  assert.deepEqual(check([unknown(0), acknowledged(2, 50, 60)]), []);
  assert.deepEqual(rules(check([acknowledged(2, 50, 60), unknown(61)])), ["explained"]);
});

test("an unknown add explains one gap only, and only a gap of its size", () => {
  const twoGaps = [acknowledged(2, 5, 6), acknowledged(4, 7, 8)];
  assert.deepEqual(rules(check([unknown(0), ...twoGaps])), ["explained"]);
  assert.deepEqual(check([unknown(0), unknown(0), ...twoGaps]), []);
  assert.deepEqual(rules(check([unknown(0, 2), acknowledged(2, 5, 6)])), ["explained"]);
  assert.deepEqual(check([unknown(0, 3), unknown(0, 2), unknown(0, 2), acknowledged(6, 5, 6)], 8), []);
});

test("a history writes down what is told, with the times of its own clock", () => {
  const history = new CounterHistory();
  const answer = history.begin("a", 2);
  assert.equal(history.adds.length, 0);
  answer({ kind: "acknowledged", total: 2 });
  const [add] = history.adds;
  assert.ok(add && add.sentAt <= add.answeredAt);
  assert.deepEqual(check(history.adds, 2), []);
});

/** A counter that works: each add takes effect at one moment of its own time; some callers never learn it. */
const workingCounter = (maxLength: number) =>
  fc
    .array(
      fc.record({
        at: fc.integer({ min: 10, max: 1_000 }),
        before: fc.integer({ min: 1, max: 60 }),
        after: fc.integer({ min: 1, max: 60 }),
        amount: fc.integer({ min: 1, max: 3 }),
        fate: fc.constantFrom("acknowledged", "acknowledged", "acknowledged", "unknown", "vanished", "refused"),
      }),
      { minLength: 1, maxLength },
    )
    .map((plans) => {
      let total = 0;
      const adds = plans
        .sort((one, other) => one.at - other.at)
        .map(({ at, before, after, amount, fate }): CounterAdd => {
          if (fate === "acknowledged" || fate === "unknown") total += amount;
          if (fate === "acknowledged") return acknowledged(total, at - before, at + after, amount);
          return fate === "refused" ? refused(at) : unknown(at - before, amount);
        });
      return { adds, total };
    });

test("every history of a counter that works is right", () => {
  fc.assert(fc.property(workingCounter(40), ({ adds, total }) => assert.deepEqual(check(adds, total), [])));
});

test("a doubled or lost add in such a history is found", () => {
  fc.assert(
    fc.property(workingCounter(40), fc.nat(), ({ adds, total }, choice) => {
      const certain = adds.filter(({ outcome }) => outcome.kind !== "unknown");
      const sure = certain.filter(({ outcome }) => outcome.kind === "acknowledged");
      fc.pre(sure.length === adds.length && sure.length >= 2);
      const chosen = choice % sure.length;
      const shift = (by: number) =>
        sure.map((add, index): CounterAdd => {
          if (index <= chosen || add.outcome.kind !== "acknowledged") return add;
          return { ...add, outcome: { kind: "acknowledged", total: add.outcome.total + by } };
        });
      const amount = sure[chosen]?.amount ?? 1;
      assert.notDeepEqual(check(shift(amount), total + amount), []);
      assert.notDeepEqual(check(shift(-amount), total - amount), []);
      assert.notDeepEqual(check(sure.toSpliced(chosen, 1), total), []);
    }),
  );
});

/** Tries every order of every choice of unknown adds. */
function isLinearizable(adds: CounterAdd[], final: number): boolean {
  const search = (left: CounterAdd[], total: number): boolean => {
    const isDone = left.every(({ outcome }) => outcome.kind === "unknown") && total === final;
    return isDone || left.some((add) => mayBeNext(add, left, total) && search(without(left, add), total + add.amount));
  };
  const mayBeNext = (add: CounterAdd, left: CounterAdd[], total: number) =>
    left.every((other) => other.outcome.kind !== "acknowledged" || other.answeredAt >= add.sentAt) &&
    (add.outcome.kind !== "acknowledged" || add.outcome.total === total + add.amount);
  const without = (left: CounterAdd[], add: CounterAdd) => left.filter((other) => other !== add);
  return search(
    adds.filter(({ outcome }) => outcome.kind !== "refused"),
    0,
  );
}

test("the verdict on any small history is that of trying every order", () => {
  const add = fc
    .record({
      total: fc.integer({ min: 1, max: 8 }),
      sentAt: fc.integer({ min: 0, max: 20 }),
      tookMs: fc.integer({ min: 1, max: 15 }),
      amount: fc.integer({ min: 1, max: 3 }),
      isKnown: fc.boolean(),
    })
    .map(({ total, sentAt, tookMs, amount, isKnown }) =>
      isKnown ? acknowledged(Math.max(total, amount), sentAt, sentAt + tookMs, amount) : unknown(sentAt, amount),
    );
  const anything = fc.record({
    adds: fc.array(add, { minLength: 1, maxLength: 5 }),
    total: fc.integer({ min: 0, max: 9 }),
  });
  fc.assert(
    fc.property(fc.oneof(anything, workingCounter(6)), fc.integer({ min: -2, max: 2 }), ({ adds, total }, drift) => {
      assert.equal(check(adds, total + drift).length === 0, isLinearizable(adds, total + drift));
    }),
    { numRuns: 4_000 },
  );
});
