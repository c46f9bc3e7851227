import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeFile, encodeSet, type FieldGiven } from "../../../test/gateway/model/descriptor.ts";
import { printMessage, readMessage } from "./codec.ts";
import { JsonError } from "./json-error.ts";
import { readRoot } from "./routes.ts";

const TIME: FieldGiven[] = [
  { name: "seconds", type: 3 },
  { name: "nanos", type: 5 },
];
const root = readRoot(
  encodeSet([
    encodeFile({
      package: "google.protobuf",
      messages: {
        Timestamp: TIME,
        Duration: TIME,
        FieldMask: [{ name: "paths", isRepeated: true }],
        StringValue: [{ name: "value" }],
        Int64Value: [{ name: "value", type: 3 }],
        Any: [{ name: "type_url" }, { name: "value", type: 12 }],
      },
      services: {},
    }),
    encodeFile({
      package: "t",
      messages: {
        All: [
          { name: "a_text" },
          { name: "number", type: 5 },
          { name: "big", type: 3 },
          { name: "huge", type: 4 },
          { name: "ratio", type: 1 },
          { name: "small_ratio", type: 2 },
          { name: "is_on", type: 8 },
          { name: "raw", type: 12 },
          { name: "numbers", type: 13, isRepeated: true },
          { name: "inner", type: 11, typeName: ".t.Inner" },
          { name: "inners", type: 11, typeName: ".t.Inner", isRepeated: true },
          { name: "at", type: 11, typeName: ".google.protobuf.Timestamp" },
          { name: "took", type: 11, typeName: ".google.protobuf.Duration" },
          { name: "mask", type: 11, typeName: ".google.protobuf.FieldMask" },
          { name: "maybe", type: 11, typeName: ".google.protobuf.StringValue" },
          { name: "maybe_big", type: 11, typeName: ".google.protobuf.Int64Value" },
          { name: "any", type: 11, typeName: ".google.protobuf.Any" },
        ],
        Inner: [{ name: "name" }],
      },
      services: {},
    }),
  ]),
);
const All = root.lookupType("t.All");

/** What comes of JSON that is read, encoded, decoded and printed. */
function roundTrip(json: object): unknown {
  return printMessage(All, All.decode(All.encode(readMessage(All, json)).finish()));
}

const DEFAULTS = {
  aText: "",
  number: 0,
  big: "0",
  huge: "0",
  ratio: 0,
  smallRatio: 0,
  isOn: false,
  raw: "",
  numbers: [],
  inners: [],
};

test("what has a default and no presence is always printed, in camel case", () => {
  assert.deepEqual(roundTrip({}), DEFAULTS);
});

test("every kind of field is read and printed", () => {
  const json = {
    aText: "ä",
    number: -5,
    big: "-9007199254740993",
    huge: "18446744073709551615",
    ratio: 0.1,
    smallRatio: 0.1,
    isOn: true,
    raw: "AAH/",
    numbers: [1, 4_294_967_295],
    inner: { name: "" },
    inners: [{ name: "x" }],
    at: "2026-01-31T12:00:00.120Z",
    took: "-1.500s",
    mask: "aField,b",
    maybe: "",
    maybeBig: "7",
    any: { "@type": "type.googleapis.com/t.Inner", name: "held" },
  };
  assert.deepEqual(roundTrip(json), json);
});

test("names of the descriptor, numbers as text and 64 bits as numbers are read too; null is nothing", () => {
  const json = { a_text: "x", number: "7", big: 12, is_on: "true", ratio: "NaN", inner: null };
  assert.deepEqual(roundTrip(json), { ...DEFAULTS, aText: "x", number: 7, big: "12", isOn: true, ratio: "NaN" });
});

test("any 64-bit number, any bytes and any double come back as they were", () => {
  const all = fc.record({
    big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    raw: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("base64")),
    ratio: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    aText: fc.string({ unit: "grapheme" }),
  });
  fc.assert(
    fc.property(all, (json) => {
      assert.deepEqual(roundTrip(json), { ...DEFAULTS, ...json });
    }),
  );
});

test("what is none of the message is a JsonError that names the field", () => {
  const bad: [object, RegExp][] = [
    [{ aText: 1 }, /aText/],
    [{ number: 1.5 }, /number/],
    [{ number: 2 ** 31 }, /number/],
    [{ number: "" }, /number/],
    [{ big: "9223372036854775808" }, /big/],
    [{ huge: "-1" }, /huge/],
    [{ big: 2 ** 53 }, /big/],
    [{ isOn: "yes" }, /isOn/],
    [{ raw: "*" }, /raw/],
    [{ numbers: 1 }, /numbers/],
    [{ numbers: [1, "x"] }, /numbers\[1\]/],
    [{ inner: [] }, /inner/],
    [{ inners: [{ nom: "x" }] }, /inners\[0\]\.nom/],
    [{ at: "yesterday" }, /at/],
    [{ took: "1" }, /took/],
    [{ any: { "@type": "x/t.Absent" } }, /t\.Absent/],
    [{ absent: 1 }, /absent/],
    [{ aText: "\ud800" }, /aText/],
    [{ big: "9".repeat(1_000_000) }, /big/],
    ...["number", "ratio", "at", "took", "big", "isOn", "raw", "mask"].map((name): [object, RegExp] => [
      { [name]: { toString: 1, valueOf: 1 } },
      new RegExp(name),
    ]),
  ];
  for (const [json, where] of bad) {
    const isNamed = (error: unknown) => error instanceof JsonError && where.test(error.message);
    assert.throws(() => readMessage(All, json), isNamed, JSON.stringify(json));
  }
});

test("a map is an object, an enum a name, and what is optional is there when it was set", () => {
  const M = readRoot(
    encodeSet([
      encodeFile({
        package: "m",
        messages: {
          M: [
            { name: "some_counts", map: { type: 3 } },
            { name: "color", type: 14, typeName: ".m.Color" },
            { name: "nested", map: { type: 11, typeName: ".m.M" } },
            { name: "a", oneof: 0 },
            { name: "b", type: 5, oneof: 0 },
            { name: "children", type: 11, typeName: ".m.M", isRepeated: true },
          ],
        },
        services: {},
        enums: { Color: ["RED", "GREEN"] },
      }),
    ]),
  ).lookupType("m.M");
  const print = (json: object) => printMessage(M, M.decode(M.encode(readMessage(M, json)).finish()));
  const empty = { someCounts: {}, color: "RED", nested: {}, children: [] };
  const json = { someCounts: { x: "1" }, color: "GREEN", nested: { five: empty }, b: 0, children: [empty] };
  assert.deepEqual(print(json), json);
  assert.deepEqual(print({ color: 1 }), { ...empty, color: "GREEN" });
  for (const color of ["BLUE", "toString", 2 ** 40]) assert.throws(() => print({ color }), JsonError);
  assert.throws(() => print({ a: "x", b: 1 }), /b and a exclude each other/);
});
