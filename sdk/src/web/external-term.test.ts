import assert from "node:assert/strict";
import { test } from "node:test";
import { readExternalTerm } from "./external-term.ts";

function read(hex: string): unknown {
  return readExternalTerm(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

// Each as `term_to_binary` of Erlang/OTP 25 writes it.
const TERMS: [term: string, hex: string, value: unknown][] = [
  ["10", "83 61 0a", 10],
  ["-1", "83 62 ff ff ff ff", -1],
  ["1.5", "83 46 3f f8 00 00 00 00 00 00", 1.5],
  ["1 bsl 40", "83 6e 06 00 00 00 00 00 00 01", 2 ** 40],
  ["-(1 bsl 40)", "83 6e 06 01 00 00 00 00 00 01", -(2 ** 40)],
  ['<<"grüß"/utf8>>', "83 6d 00 00 00 06 67 72 c3 bc c3 9f", "grüß"],
  ["normal", "83 64 00 06 6e 6f 72 6d 61 6c", "normal"],
  ["true", "83 77 04 74 72 75 65", true],
  ["nil", "83 77 03 6e 69 6c", null],
  ["[]", "83 6a", []],
  ["[1,2]", "83 6b 00 02 01 02", [1, 2]],
  ["[a,[1]]", "83 6c 00 00 00 02 77 01 61 6b 00 01 01 6a", ["a", [1]]],
  ["{add,5}", "83 68 02 77 03 61 64 64 61 05", ["add", 5]],
  ['#{a => 1, <<"b">> => 2}', "83 74 00 00 00 02 77 01 61 61 01 6d 00 00 00 01 62 61 02", { a: 1, b: 2 }],
];

for (const [term, hex, value] of TERMS) {
  test(`GS-10 reads ${term}`, () => assert.deepEqual(read(hex), value));
}

test("GS-10 refuses by its reason what is no plain term", () => {
  const refused: [hex: string, message: RegExp][] = [
    ["82 61 0a", /does not begin with 131/],
    ["83 61", /ends too early/],
    ["83 61 0a 00", /bytes are left/],
    ["83 6c ff ff ff ff 61 01", /ends too early/],
    ["83 6c 00 00 00 01 61 01 61 02", /improper list/],
    ["83 6e 08 00 ff ff ff ff ff ff ff ff", /too large/],
    ["83 6d 00 00 00 01 ff", /not text/],
    ["83 46 7f f0 00 00 00 00 00 00", /no finite number/],
    ["83 46 7f f8 00 00 00 00 00 00", /no finite number/],
    ["83 58 00", /of the kind 88/],
    ["83 74 00 00 00 01 6a 61 01", /neither text nor number/],
    [`83 ${"68 01 ".repeat(102)}6a`, /more than 100 deep/],
  ];
  for (const [hex, message] of refused) assert.throws(() => read(hex), { name: "TermError", message });
});
