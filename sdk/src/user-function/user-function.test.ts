import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Action } from "./action.ts";
import { openDebugLog } from "./debug-log.ts";
import { Entity } from "./entity.ts";
import {
  anyOf,
  FIRST,
  LATER,
  type Message,
  RawBackend,
  readAny,
  readDescriptorSet,
  VALUE,
} from "./raw-backend.test-support.ts";
import { UserFunction } from "./server.ts";
import { ValueEntity } from "./value-entity.ts";

const PROTO = fileURLToPath(new URL("gate.test-support.proto", import.meta.url));
const SAMPLE = fileURLToPath(new URL("../../../samples/shopping-cart/index.ts", import.meta.url));
const SERVICE = "test.gate.Gate";
const CART_SERVICE = "com.example.shoppingcart.ShoppingCart";
const LOCAL = { bindAddress: "127.0.0.1" };

test("CS-22: start resolves to the port and prints it; shutdown frees it, twice too, and without a start", async (t) => {
  const printed = t.mock.method(console, "log", () => undefined);
  const entity = new Entity(PROTO, SERVICE);
  await entity.shutdown();
  const port = await entity.start(LOCAL);
  assert.deepEqual(printed.mock.calls[0]?.arguments, [`Entity gRPC server started on 127.0.0.1:${port}`]);
  await assert.rejects(entity.start(LOCAL), /runs already/);
  await assert.rejects(new Entity(PROTO, SERVICE).start({ ...LOCAL, bindPort: port }), /EADDRINUSE|No address/);
  await entity.shutdown();
  await entity.shutdown();
  const [refused] = await once(createConnection(port, "127.0.0.1"), "error");
  assert.equal(refused.code, "ECONNREFUSED");
  assert.equal(await entity.start({ ...LOCAL, bindPort: port }), port);
  await entity.shutdown();
});

test("CS-22: shutdown does not wait for streams that are open", async () => {
  const entity = new Entity(PROTO, SERVICE).setInitial(() => ({}));
  using backend = new RawBackend(await entity.start(LOCAL));
  const stream = backend.open(FIRST).send({ init: { entityId: "g" } }, { command: { id: 1, name: "Nothing" } });
  await stream.next();
  await entity.shutdown();
  await assert.rejects(stream.rest());
});

for (const name of ["stateserve-event-sourcing", "stateserv-event-sourcing"]) {
  test(`CS-23: DEBUG=${name} tells what goes through the protocol`, async () => {
    const lines = await debugLines(name);
    const type = (of: string) => `type.googleapis.com/com.example.shoppingcart.${of}`;
    assert.deepEqual(lines, [
      `Received ready, sending descriptor with service name ${CART_SERVICE} and persistenceId shopping-cart`,
      "1 - Received new stream",
      "1 [viktor] - Received init message",
      `1 [viktor] - Handling snapshot with type ${type("persistence.Cart")} at sequence 3`,
      `1 [viktor] - Received event 4 with type '${type("persistence.ItemAdded")}'`,
      `1 [viktor] (1) - Received command 'AddItem' with type '${type("AddLineItem")}'`,
      `1 [viktor] (1) - Emitting event '${type("persistence.ItemAdded")}'`,
      `1 [viktor] (1) - Snapshotting current state with type '${type("persistence.Cart")}'`,
      "1 [viktor] (1) - Sending reply with 1 events and reply type 'type.googleapis.com/google.protobuf.Empty'",
      `1 [viktor] (2) - Received command 'RemoveItem' with type '${type("RemoveLineItem")}'`,
      "1 [viktor] (2) - Command failed with message 'Item eggs not in cart'",
      "1 [viktor] - Stream terminating",
    ]);
  });
}

test("CS-23: a line stays one line, whatever an entity is called; DEBUG is a list, with * for any rest", (t) => {
  const written = t.mock.method(process.stderr, "write", () => true);
  for (const setting of ["stateserve-*", "other,stateserve-event-sourcing", "*", "other", "state"]) {
    openDebugLog(setting)("1 [a\nb\r] - Received init message");
  }
  const lines = written.mock.calls.map(({ arguments: [line] }) => line);
  t.mock.restoreAll();
  assert.deepEqual(lines, Array(3).fill("stateserve-event-sourcing 1 [a\\nb\\r] - Received init message\n"));
});

test("CS-23: without DEBUG nothing is told", async () => {
  assert.deepEqual(await debugLines(""), []);
});

/** What the sample's process says on stderr while a backend uses it. */
async function debugLines(setting: string): Promise<string[]> {
  const env = { ...process.env, DEBUG: setting, PORT: "0" };
  const child = spawn(process.execPath, [SAMPLE], { env, stdio: ["ignore", "pipe", "pipe"] });
  const stderr = text(child.stderr);
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const files = ["shoppingcart", "domain"].map((file) => SAMPLE.replace("index.ts", `proto/${file}.proto`));
  const cart = new Entity(files, CART_SERVICE);
  const any = (name: string, fields: Message = {}) =>
    anyOf(cart.lookupType(`com.example.shoppingcart.${name}`), fields);
  {
    using backend = new RawBackend(Number(String(line).split(":").at(-1)));
    await backend.ask(FIRST, "ready");
    const item = { productId: "flour", name: "Flour", quantity: 1 };
    const snapshot = { snapshotSequence: 3, snapshot: any("persistence.Cart") };
    const stream = backend.open(FIRST).send({ init: { entityId: "viktor", snapshot } });
    stream.send({ event: { sequence: 4, payload: any("persistence.ItemAdded", { item }) } });
    stream.send({ command: { id: 1, name: "AddItem", payload: any("AddLineItem", { userId: "viktor", ...item }) } });
    stream.send({ command: { id: 2, name: "RemoveItem", payload: any("RemoveLineItem", { productId: "eggs" }) } });
    await stream.end().rest();
  }
  child.kill("SIGTERM");
  const prefix = `${setting} `;
  return (await stderr)
    .split("\n")
    .filter(Boolean)
    .map((each) => each.replace(prefix, ""));
}

test("ready sends the service's whole file, with its options", async () => {
  const entity = new Entity(PROTO, SERVICE, { persistenceId: "gate" });
  using backend = new RawBackend(await entity.start(LOCAL));
  const spec = await backend.ask(FIRST, "ready");
  await entity.shutdown();
  assert.deepEqual([spec["serviceName"], spec["persistenceId"]], [SERVICE, "gate"]);
  const file = spec["proto"] as { messageType: Message[]; service: { method: Message[] }[] };
  const fields = file.messageType[0]?.["field"] as Message[];
  assert.deepEqual(
    fields.map(({ name, number }) => [name, number]),
    [
      ["gate_id", 1],
      ["text", 2],
      ["times", 3],
    ],
  );
  assert.equal((fields[0]?.["options"] as Message | undefined)?.[".cloudstate.entityKey"], true);
  assert.deepEqual(
    file.service[0]?.method.map(({ outputType }) => outputType),
    Array(4).fill(".test.gate.Answer"),
  );
});

const AnswerText = (words: string) => ({ text: words });

test("one server serves services of several kinds, in the later protocol", async () => {
  const entities = new ValueEntity(PROTO, SERVICE, { persistenceId: "gates", passivationTimeoutMs: 100 });
  const cart = new Entity(SAMPLE.replace("index.ts", "proto/shoppingcart.proto"), CART_SERVICE);
  const served = new UserFunction([entities, cart]);
  using backend = new RawBackend(await served.start(LOCAL));
  const spec = await backend.ask("cloudstate.EntityDiscovery", "discover", { protocolMinor: 2 });
  const passivationStrategy = { strategy: "timeout", timeout: { timeout: 100 } };
  assert.deepEqual(spec["entities"], [
    { entityType: VALUE, serviceName: SERVICE, persistenceId: "gates", passivationStrategy },
    { entityType: LATER, serviceName: CART_SERVICE, persistenceId: "entity", passivationStrategy: null },
  ]);
  const { file } = readDescriptorSet(spec["proto"] as Uint8Array);
  assert.deepEqual(file.map(({ name }) => name).toSorted(), [
    "cloudstate/entity_key.proto",
    "gate.test-support.proto",
    "google/api/annotations.proto",
    "google/api/http.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/empty.proto",
    "shoppingcart.proto",
  ]);
  await assert.rejects(backend.ask(FIRST, "ready"), { code: 9 });
  await served.shutdown();
  assert.throws(() => new UserFunction([cart, cart]), /given twice/);
});

test("two services of one program may not bring different files of one name", () => {
  const folder = mkdtempSync(join(tmpdir(), "user-function-"));
  try {
    const [one, other] = ["One", "Other"].map((name) => {
      const path = join(folder, name, "same.proto");
      mkdirSync(join(folder, name));
      writeFileSync(path, `syntax = "proto3"; package ${name}; message M {} service S { rpc Do(M) returns (M); }`);
      return new Action(path, `${name}.S`);
    });
    assert.ok(one && other);
    assert.throws(() => new UserFunction([one, other]), /two different files named same.proto/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a value entity keeps what its commands make of it, and a command that fails changes nothing", async () => {
  const entity = new ValueEntity<{ said: string[] }>(PROTO, SERVICE);
  const State = entity.lookupType("test.gate.State");
  entity.setInitial(() => State.create() as object as { said: string[] });
  entity.setCommandHandlers({
    Say: ({ text: words }: { text: string }, { said }, context) => {
      context.updateState(State.create({ said: [...said, words] }));
      if (words === "no") context.fail("no is no answer");
      return AnswerText(words);
    },
    Open: (_: object, _state, context) => {
      context.deleteState();
      return {};
    },
    Read: async (_: object, { said }) => AnswerText(said.join("")),
  });
  using backend = new RawBackend(await entity.start(LOCAL));
  const command = (id: number, name: string, words = "") => ({
    command: { entityId: "g", id, name, payload: anyOf(entity.lookupType("test.gate.Request"), { text: words }) },
  });
  const state = { value: anyOf(State, { said: ["a"] }) };
  const stream = backend.open(VALUE).send({ init: { serviceName: SERVICE, entityId: "g", state } });
  stream.send(
    command(1, "Say", "b"),
    command(2, "Say", "no"),
    command(3, "Read"),
    command(4, "Open"),
    command(5, "Read"),
  );
  const replies = (await stream.end().rest()).map(({ reply }) => reply as Message);
  await entity.shutdown();
  const actions = replies.map(({ stateAction }) => (stateAction as { action: string } | null)?.action);
  assert.deepEqual(actions, ["update", undefined, undefined, "delete", undefined]);
  const answers = replies.map(({ clientAction }) => clientAction as { reply?: { payload: object }; failure?: Message });
  assert.equal(answers[1]?.failure?.["description"], "no is no answer");
  assert.equal(readAny(entity.root, answers[2]?.reply?.payload)["text"], "ab");
  assert.equal(readAny(entity.root, answers[4]?.reply?.payload)["text"] ?? "", "");
});

test("a value is kept as it was when it was given, whatever becomes of the object", async () => {
  const entity = new ValueEntity<{ said: string[] }>(PROTO, SERVICE);
  const State = entity.lookupType("test.gate.State");
  entity.setInitial(() => State.create() as object as { said: string[] });
  entity.setCommandHandlers({
    Say: (_: object, _state, context) => {
      const state = State.create({ said: ["a"] }) as object as { said: string[] };
      context.updateState(state);
      state.said.push("late");
      return {};
    },
    Read: (_: object, { said }) => AnswerText(said.join(" ")),
  });
  using backend = new RawBackend(await entity.start(LOCAL));
  const payload = anyOf(entity.lookupType("test.gate.Request"));
  const stream = backend.open(VALUE).send({ init: { serviceName: SERVICE, entityId: "g" } });
  const commands = ["Say", "Read"].map((name, index) => ({ command: { entityId: "g", id: index + 1, name, payload } }));
  const answers = await stream
    .send(...commands)
    .end()
    .rest();
  await entity.shutdown();
  const reply = answers[1]?.["reply"] as { clientAction: { reply: { payload: object } } };
  assert.equal(readAny(entity.root, reply.clientAction.reply.payload)["text"], "a");
});

test("an action answers, fails and names what it does not know; streamed ones are not served", async () => {
  const action = new Action(PROTO, SERVICE).setCommandHandlers({
    Say: async ({ text: words }: { text: string }, context) => {
      if (words === "no") context.fail("no is no answer");
      if (words === "boom") throw new Error("boom");
      return AnswerText(words);
    },
  });
  using backend = new RawBackend(await action.start(LOCAL));
  const ask = (name: string, words: string) => {
    const payload = anyOf(action.lookupType("test.gate.Request"), { text: words });
    return backend.ask("cloudstate.action.ActionProtocol", "handleUnary", { serviceName: SERVICE, name, payload });
  };
  const failureOf = async (name: string, words: string) =>
    ((await ask(name, words))["failure"] as Message)["description"];
  const { reply } = await ask("Say", "hi");
  assert.equal(readAny(action.root, (reply as Message)["payload"])["text"], "hi");
  assert.equal(await failureOf("Say", "no"), "no is no answer");
  assert.equal(await failureOf("Say", "boom"), "Error handling command 'Say': Error: boom");
  assert.equal(await failureOf("Read", ""), "No handler register for command 'Read'");
  assert.equal(await failureOf("Close", ""), "Unknown command named Close");
  await assert.rejects(backend.ask("cloudstate.action.ActionProtocol", "handleStreamedOut"), { code: 12 });
  await action.shutdown();
});

test("an entity of the later protocol is not found under another kind", async () => {
  const entity = new Entity(PROTO, SERVICE);
  using backend = new RawBackend(await entity.start(LOCAL));
  for (const kind of [VALUE, LATER]) {
    const [answer] = await backend
      .open(kind)
      .send({ init: { serviceName: kind === VALUE ? SERVICE : "x.Y" } })
      .rest();
    assert.match(
      String((answer?.["failure"] as Message | undefined)?.["description"]),
      /There is no .* with the service/,
    );
  }
  await entity.shutdown();
});
