import assert from "node:assert/strict";
import { test } from "node:test";
import protobuf from "protobufjs";
import { decodeAny, encodeAny, typeNameOf } from "./any.ts";

const root = protobuf
  .parse('syntax = "proto3"; message Line { string name = 1; Line next = 2; }')
  .root.resolveAll() as protobuf.Root;
const Line = root.lookupType("Line");

test("plain values have the later protocol's forms, and come back", () => {
  const values = { string: "é", bytes: new Uint8Array([1, 0]), int64: -(2n ** 62n), bool: true, double: -0.5 };
  for (const [name, value] of Object.entries(values)) {
    const any = encodeAny(value);
    assert.equal(any.type_url, `p.cloudstate.io/${name}`);
    const decoded = decodeAny(root, any);
    assert.deepEqual(decoded instanceof Uint8Array ? new Uint8Array(decoded) : decoded, value);
  }
});

test("a plain value without bytes is its type's zero", () => {
  const zeros = { string: "", bytes: new Uint8Array(), int64: 0n, bool: false, double: 0 };
  for (const [name, zero] of Object.entries(zeros)) {
    assert.deepEqual(decodeAny(root, { type_url: `p.cloudstate.io/${name}`, value: new Uint8Array() }), zero);
  }
});

test("a JSON object is stored under its type, whatever the order of its keys", () => {
  const any = encodeAny({ type: "Tally", b: { d: 1, c: [2, { z: 1, a: null }] } });
  assert.equal(any.type_url, "json.cloudstate.io/Tally");
  assert.deepEqual(any, encodeAny({ b: { c: [2, { a: null, z: 1 }], d: 1 }, type: "Tally" }));
  assert.deepEqual(decodeAny(root, any), { type: "Tally", b: { d: 1, c: [2, { z: 1, a: null }] } });
  assert.equal(typeNameOf(any), "Tally");
});

test("what has no form is an error", () => {
  for (const value of [{}, { type: "" }, [], null, undefined, () => 1])
    assert.throws(() => encodeAny(value), /has a type/);
  assert.throws(() => decodeAny(root, undefined), /no payload/);
  assert.throws(() => decodeAny(root, { type_url: "x/Gone", value: new Uint8Array() }), /Gone/);
  assert.throws(
    () => decodeAny(root, { type_url: "p.cloudstate.io/date", value: new Uint8Array() }),
    /date is unknown/,
  );
});

test("a message that is cut off anywhere is an error, or one with fewer fields", () => {
  const { type_url, value } = encodeAny(Line.create({ name: "one", next: { name: "two" } }));
  const whole = [0, 5, value.length];
  for (let length = 0; length <= value.length; length++) {
    const decode = () => decodeAny(root, { type_url, value: value.slice(0, length) });
    if (whole.includes(length)) assert.doesNotThrow(decode);
    else assert.throws(decode, RangeError, `${length} of ${value.length} bytes`);
  }
});
