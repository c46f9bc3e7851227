import assert from "node:assert/strict";
import { test } from "node:test";
import { fitWindow } from "./window.ts";

test("lines that fit are all shown, cut to the width", () => {
  assert.deepEqual(fitWindow(["one", "a longer line"], 8, 3), ["one", "a longe…"]);
});

test("lines that do not fit are counted in the last one", () => {
  assert.deepEqual(fitWindow(["1", "2", "3", "4"], 80, 4), ["1", "2", "… 2 more lines"]);
});

test("a window of any size gets at most its rows less one, and one line at least", () => {
  for (const rows of [0, 1, 2]) assert.deepEqual(fitWindow(["1", "2"], 80, rows), ["… 2 more lines"]);
});
