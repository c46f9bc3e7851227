import assert from "node:assert/strict";
import { test } from "node:test";
import { ignore, noreply, ok, reply, stop } from "../returns.ts";
import { defineServer, type ServerModule } from "../server-module.ts";
import { describeError, failWith, readState, readTurn } from "./turn.ts";

const counter: ServerModule = defineServer({ name: "counter", version: 1, init: () => 0 });
const dated: ServerModule = defineServer({
  name: "dated",
  version: 1,
  init: () => ({ at: new Date(0) }),
  dump: ({ at }) => at.getTime(),
  load: (stored) => ({ at: new Date(stored as number) }),
});

function dumping(dump: () => unknown): ServerModule {
  return defineServer({ name: "dumping", version: 1, init: () => 0, dump });
}

const fails = (code: string, detail: RegExp, result: ReturnType<typeof readTurn>) => {
  assert.equal(result.kind === "fails" && result.failure.code, code);
  assert.match(result.kind === "fails" ? result.failure.detail : "", detail);
};

test("turns state and reply into text at once", () => {
  const state = { n: 1 };
  const result = readTurn(counter, "handleCall", reply({ is: state }, state));
  state.n = 2;
  assert.deepEqual(result, {
    kind: "goes-on",
    stateText: '{"n":1}',
    state,
    replyText: '{"is":{"n":1}}',
    continueText: undefined,
    timeoutMs: undefined,
    hibernates: false,
  });
});

test("says what comes next", () => {
  const next = (value: unknown) => readTurn(counter, "handleCast", value) as unknown as Record<string, unknown>;
  assert.equal(next(noreply(1, { continue: [1] }))["continueText"], "[1]");
  assert.equal(next(noreply(1, { continue: undefined }))["continueText"], "null");
  assert.equal(next(noreply(1, { timeout: 0 }))["timeoutMs"], 0);
  assert.equal(next(noreply(1, "hibernate"))["hibernates"], true);
});

test("tells a later reply from one of undefined", () => {
  const replyText = (value: unknown) => (readTurn(counter, "handleCall", value) as { replyText?: string }).replyText;
  assert.equal(replyText(noreply(1)), undefined);
  assert.equal(replyText(reply(undefined, 1)), "null");
});

test("stops, refuses and ignores", () => {
  const stopped = { kind: "stops", reason: "normal", stateText: "1", state: 1 };
  assert.deepEqual(readTurn(counter, "handleCall", stop("normal", "bye", 1)), { ...stopped, replyText: '"bye"' });
  assert.deepEqual(readTurn(counter, "handleInfo", stop("normal", 1)), { ...stopped, replyText: undefined });
  assert.deepEqual(readTurn(counter, "init", stop("no")), { kind: "refuses", reason: "no" });
  assert.deepEqual(readTurn(counter, "init", ignore()), { kind: "ignores" });
});

test("stores what dump makes of a state, and loads it again", () => {
  const result = readTurn(dated, "init", ok({ at: new Date(5) })) as { stateText: string };
  assert.equal(result.stateText, "5");
  assert.deepEqual(readState(dated, "5"), { at: new Date(5) });
  assert.deepEqual(readState(counter, '{"n":1}'), { n: 1 });
});

test("names dump and load where they are to blame", () => {
  const read = (dump: () => unknown) => readTurn(dumping(dump), "handleCast", noreply(1));
  const thrower = () => {
    throw new RangeError("no");
  };
  fails("callback_failed", /^dumping\.dump threw RangeError: no$/, read(thrower));
  fails(
    "invalid_return",
    /^dumping\.dump returned a promise$/,
    read(async () => thrower()),
  );
  fails(
    "state_not_json",
    /a state that JSON cannot hold: number$/,
    read(() => undefined),
  );
  const load = async () => thrower();
  const loading: ServerModule = defineServer({ name: "loading", version: 1, init: () => 0, load: load as never });
  assert.throws(() => readState(loading, "1"), /^TypeError: loading\.load returned a promise$/);
});

test("fails for a state, reply or continuation that JSON cannot hold, or that is too large", () => {
  const ring: Record<string, unknown> = {};
  ring["self"] = ring;
  const large = "é".repeat(4 * 1024 * 1024);
  fails(
    "state_not_json",
    /^counter\.handleCast returned a state that JSON cannot hold: Converting circular/,
    readTurn(counter, "handleCast", noreply(ring)),
  );
  fails("state_not_json", /cannot hold: undefined$/, readTurn(counter, "handleCast", noreply(undefined)));
  fails(
    "reply_not_json",
    /^counter\.handleCall returned a reply that JSON cannot hold: .*BigInt/,
    readTurn(counter, "handleCall", reply(1n, 1)),
  );
  fails(
    "reply_not_json",
    /returned a continuation that/,
    readTurn(counter, "handleInfo", noreply(1, { continue: 1n })),
  );
  fails("state_too_large", /a state of 8388610 bytes; at most 8388608 are kept$/, readTurn(counter, "init", large));
  fails("reply_too_large", /a reply of 8388610 bytes/, readTurn(counter, "handleCall", reply(large, 1)));
  const toJSON = () => {
    throw "no text";
  };
  fails("state_not_json", /cannot hold: no text$/, readTurn(counter, "handleCast", noreply({ toJSON })));
});

test("describes whatever was thrown", () => {
  const bare = Object.create(null);
  const hostile = new Proxy(new Error("x"), { get: () => assert.fail("read") });
  for (const thrown of [new TypeError("no"), "text", undefined, null, bare, hostile, Symbol("s"), 1n]) {
    const [what] = describeError(thrown);
    assert.equal(typeof what, "string");
    fails("callback_failed", /^counter\.init threw /, failWith(counter, "init", thrown));
  }
  assert.deepEqual(describeError("text"), ["a value that is no error: 'text'", []]);
});
