import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Missed } from "../contract.ts";
import { checkCron, readTick } from "./schedule.ts";
import type { Timer } from "./ties.ts";
import { EffectError } from "./turn-errors.ts";

const at = (text: string) => Date.parse(text);
const timer = (dueAt: number, rest: Partial<Timer> = {}): Timer => ({ id: "0-1", dueAt, ...rest });
const noon = at("2026-01-01T12:00:00Z");
const MINUTE_MS = 60_000;

test("a timer that fires once runs, however late, and has no next", () => {
  for (const now of [noon, noon + 1, noon + 1e12])
    assert.deepEqual(readTick(timer(noon), now), { runs: true, nextAt: undefined });
});

test("a tick that is in time runs, and the next is an interval after it was due, not after it ran", () => {
  for (const missed of ["skip", "once", "all"] as const) {
    assert.deepEqual(readTick(timer(noon, { everyMs: 1_000, missed }), noon), { runs: true, nextAt: noon + 1_000 });
    assert.deepEqual(readTick(timer(noon, { everyMs: 1_000, missed }), noon + 999), {
      runs: true,
      nextAt: noon + 1_000,
    });
  }
});

test("missed ticks are skipped, made up once, or all made up", () => {
  const now = noon + 3_500;
  const tick = (missed?: Missed) => readTick(timer(noon, { everyMs: 1_000, ...(missed && { missed }) }), now);
  assert.deepEqual(tick("skip"), { runs: false, nextAt: noon + 4_000 });
  assert.deepEqual(tick("once"), { runs: true, nextAt: noon + 4_000 });
  assert.deepEqual(tick("all"), { runs: true, nextAt: noon + 1_000 });
  assert.deepEqual(tick(), tick("once"));
});

test("missed ticks of a cron expression likewise", () => {
  const now = noon + 3.5 * MINUTE_MS;
  const tick = (missed: Missed) => readTick(timer(noon, { cron: "* * * * *", missed }), now);
  assert.deepEqual(tick("skip"), { runs: false, nextAt: noon + 4 * MINUTE_MS });
  assert.deepEqual(tick("once"), { runs: true, nextAt: noon + 4 * MINUTE_MS });
  assert.deepEqual(tick("all"), { runs: true, nextAt: noon + MINUTE_MS });
});

test("whenever a tick comes to its turn, the next is on the grid, and beyond now unless all are made up", () => {
  const everyMs = fc.integer({ min: 1, max: 366 * 86_400_000 });
  fc.assert(
    fc.property(
      everyMs,
      fc.integer({ min: 0, max: 1e12 }),
      fc.constantFrom("skip", "once", "all"),
      (every, late, missed) => {
        const now = noon + late;
        const { runs, nextAt = Number.NaN } = readTick(timer(noon, { everyMs: every, missed: missed as Missed }), now);
        assert.equal((nextAt - noon) % every, 0);
        assert.ok(missed === "all" ? nextAt === noon + every : nextAt > now && nextAt <= now + every);
        assert.equal(runs, missed !== "skip" || late < every);
      },
    ),
  );
});

test("all ticks that were missed are made up one after the other, and then it waits", () => {
  const now = noon + 10_000;
  const ran: number[] = [];
  for (let due = noon; due <= now; ) {
    const { runs, nextAt = Number.NaN } = readTick(timer(due, { everyMs: 1_000, missed: "all" }), now);
    if (runs) ran.push(due);
    due = nextAt;
  }
  assert.equal(ran.length, 11);
});

test("a cron expression is read with minutes, or with seconds, in UTC or its time zone", () => {
  const cases: [expression: string, timezone: string | undefined, due: string][] = [
    ["* * * * *", undefined, "2026-01-01T12:01:00Z"],
    ["*/10 * * * * *", undefined, "2026-01-01T12:00:10Z"],
    ["0 9 * * *", undefined, "2026-01-02T09:00:00Z"],
    ["0 9 * * *", "Europe/Vienna", "2026-01-02T08:00:00Z"],
    ["0 9 * * *", "America/New_York", "2026-01-01T14:00:00Z"],
    ["30 14 * * MON-FRI", "UTC", "2026-01-01T14:30:00Z"],
    ["0 0 29 2 *", undefined, "2028-02-29T00:00:00Z"],
    ["0 0 L * *", undefined, "2026-01-31T00:00:00Z"],
    ["@hourly", undefined, "2026-01-01T13:00:00Z"],
  ];
  for (const [expression, timezone, due] of cases) {
    assert.equal(checkCron(expression, timezone, noon), at(due), expression);
  }
});

test("a time that the clock leaves out or shows twice comes once a day", () => {
  const halfPastTwo = (now: string) => new Date(checkCron("30 2 * * *", "Europe/Vienna", at(now))).toISOString();
  assert.equal(halfPastTwo("2026-03-28T12:00:00Z"), "2026-03-29T01:00:00.000Z");
  assert.equal(halfPastTwo("2026-03-29T01:00:00Z"), "2026-03-30T00:30:00.000Z");
  assert.equal(halfPastTwo("2026-10-24T12:00:00Z"), "2026-10-25T00:30:00.000Z");
  assert.equal(halfPastTwo("2026-10-25T00:30:00Z"), "2026-10-26T01:30:00.000Z");
});

test("the next time of a cron expression is after now, also when it is due just now", () => {
  const expression = fc.constantFrom("* * * * *", "* * * * * *", "*/7 3 * * *", "0 0 1 * *", "15 2 * * SUN");
  const zone = fc.constantFrom(undefined, "Europe/Vienna", "Asia/Kathmandu", "America/St_Johns");
  fc.assert(
    fc.property(expression, zone, fc.integer({ min: 0, max: 4e9 }), (cron, timezone, seconds) => {
      const next = checkCron(cron, timezone, seconds * 500);
      assert.ok(next > seconds * 500);
      assert.ok(checkCron(cron, timezone, next) > next);
      assert.equal(checkCron(cron, timezone, next - 1), next);
    }),
    { numRuns: 50 },
  );
});

test("what is no cron expression, no time zone or never due is refused in words", () => {
  const refusals: [expression: unknown, timezone: unknown, message: RegExp][] = [
    [5, undefined, /^ctx\.cron: the expression must be a text of at most 256 characters$/],
    [undefined, undefined, /must be a text/],
    ["1,".repeat(1_000), undefined, /must be a text of at most 256 characters$/],
    ["", undefined, /^ctx\.cron: "" is not valid: /],
    ["a b c d e", undefined, /^ctx\.cron: "a b c d e" is not valid: .*illegal characters/],
    ["61 * * * *", undefined, /is not valid: .*Invalid value for minute: 61/],
    ["* * * * * * *", undefined, /is not valid: .*has 7 parts/],
    ["* * * *", undefined, /is not valid: /],
    ["*/0 * * * *", undefined, /is not valid: .*stepping/],
    ["2030-01-01T00:00:00Z", undefined, /is a time; for one message use ctx\.sendAfter$/],
    ["@reboot", undefined, /is not valid: /],
    ["0 0 30 2 *", undefined, /^ctx\.cron: "0 0 30 2 \*" is never due$/],
    ["* * * * *", "Nowhere/Never", /"\* \* \* \* \*" in Nowhere\/Never is not valid: .*Nowhere\/Never/],
    ["* * * * *", "", /the time zone must be a text of 1 to 64 characters$/],
    ["* * * * *", null, /the time zone must be/],
    ["* * * * *", "x".repeat(65), /the time zone must be/],
  ];
  for (const [expression, timezone, message] of refusals) {
    assert.throws(
      () => checkCron(expression, timezone, noon),
      (error: Error) => error instanceof EffectError && message.test(error.message) && error.message.length < 700,
      String(expression),
    );
  }
});
