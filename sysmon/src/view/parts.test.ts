import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { layGrid } from "./grid.ts";
import { outlineJson } from "./json-outline.ts";
import { cropLine, fillLine, line, span, textOf } from "./line.ts";
import { formatMs, formatNumber } from "./numbers.ts";
import { sparkline } from "./sparkline.ts";

test("a grid shrinks what may shrink, then drops what is needed least", () => {
  const columns = [
    { title: "PID", least: 10 },
    { title: "STATUS", goes: 1 },
    { title: "TURNS", align: "right" as const, goes: 3 },
    { title: "ERROR", least: 8, goes: 2 },
  ];
  const rows = [["accumulator/alice", "idle", "12", "callback_failed"].map((text) => span(text))];
  const at = (width: number) => textOf(layGrid(columns, rows, width).rows[0] ?? []).trimEnd();
  assert.equal(at(80), "accumulator/alice  idle       12  callback_failed");
  assert.equal(at(44), "accumulator/alice  idle       12  callback_…");
  assert.equal(at(38), "accumulator/…  idle       12  callbac…");
  assert.equal(at(30), "accumulator…  idle    callbac…");
  assert.equal(at(20), "accumulator…  idle");
  assert.equal(at(17), "accumulator/alice");
  assert.equal(at(12), "accumulator…");
});

test("a sparkline is scaled to its largest value, shows the newest, and leaves a gap where nothing is known", () => {
  assert.equal(sparkline([0, 7, undefined, 14], 10), "▁▅ █");
  assert.equal(sparkline([1, 2, 3, 4], 2), "▆█");
  assert.equal(sparkline([0, 0], 10), "▁▁");
  assert.equal(sparkline([1, 2], 0), "");
});

test("an outline is what JSON.stringify writes, as long as nothing is left out", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const { lines, isCut } = outlineJson(value, 10_000, 10_000);
      assert.equal(lines.join("\n"), JSON.stringify(value, null, 2));
      assert.equal(isCut, false);
    }),
  );
});

test("an outline visits no more than it shows", () => {
  let visited = 0;
  const endless = new Proxy([], {
    get: (list, name) => {
      if (name === Symbol.iterator)
        return function* () {
          for (;;) yield visited++;
        };
      return Reflect.get(list, name);
    },
  });
  assert.deepEqual(outlineJson(endless, 4), { lines: ["[", "  0,", "  1,", "  2,"], isCut: true });
  assert.ok(visited < 10);
});

test("an outline cuts long texts and shows control characters as what they are not", () => {
  const { lines, isCut } = outlineJson({ text: "x".repeat(1_000_000), escape: "\x9b2J" }, 100, 20);
  assert.ok(isCut && lines.every((text) => text.length <= 21));
  assert.ok(!lines.join("").includes("\x9b"));
});

test("a line is cropped across its spans, and filled to the width", () => {
  const mixed = [span("worker"), span("-1", "bad"), span(" idle")];
  assert.equal(textOf(cropLine(mixed, 13)), "worker-1 idle");
  assert.equal(textOf(cropLine(mixed, 8)), "worker-…");
  assert.equal(textOf(cropLine(mixed, 6)), "worke…");
  assert.equal(textOf(fillLine(line("名前"), 6)), "名前  ");
});

test("numbers are short", () => {
  assert.deepEqual([0, 0.42, 9.96, 12.4, 20_482, 1_234_567, undefined, Number.NaN].map(formatNumber), [
    "0",
    "0.4",
    "10.0",
    "12",
    "20482",
    "1.2M",
    "-",
    "-",
  ]);
  assert.equal(formatMs(1.25), "1.3 ms");
});
