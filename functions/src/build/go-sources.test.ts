import assert from "node:assert/strict";
import { test } from "node:test";
import { toMain } from "./go-sources.ts";

test("the package clause becomes main, whatever is before it, and nothing else does", () => {
  const named: [string, string | undefined][] = [
    ["package functions\n", "package main\n"],
    ["package main // main\n", "package main // main\n"],
    [
      "// package a\n/* package b\n */\n\n  package  größe;import `fmt`",
      "// package a\n/* package b\n */\n\n  package  main;import `fmt`",
    ],
    ["//go:build linux\n\npackage a\nvar package_ = 1", "//go:build linux\n\npackage main\nvar package_ = 1"],
    ["/**/package/**/a", undefined],
    ["// package a", undefined],
    ["", undefined],
    ["import `fmt`\npackage a", undefined],
    [`${"/".repeat(50_000)}\n${"/* */ ".repeat(20_000)}`, undefined],
  ];
  for (const [text, renamed] of named) assert.equal(toMain(text), renamed, text.slice(0, 100));
});
