import assert from "node:assert/strict";
import { isAbsolute } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import type { EventSourcedContext } from "./awake-entity.ts";
import { Entity } from "./entity.ts";
import {
  ask,
  command,
  deeds,
  event,
  eventsOf,
  failureOf,
  gate,
  Opened,
  PROTO,
  replyOf,
  Said,
  SERVICE,
  StateType,
  textOf,
} from "./gate.test-support.ts";
import { anyOf, FIRST, LATER, type Message, RawBackend, readAny } from "./raw-backend.test-support.ts";

const PROTOCOLS = new URL("../../proto/", import.meta.url);

let backend: RawBackend;

before(async () => {
  backend = new RawBackend(await gate.start({ bindAddress: "127.0.0.1" }));
});

after(async () => {
  backend[Symbol.dispose]();
  await gate.shutdown();
});

test("CS-17: an entity is made of a file, a list of files or a Root, with its defaults", () => {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => (isAbsolute(target) ? target : protoPath(target));
  for (const files of [PROTO, [PROTO], root.loadSync(PROTO)]) {
    const entity = new Entity(files, SERVICE);
    assert.deepEqual([entity.persistenceId, entity.snapshotEvery], ["entity", 100]);
    assert.deepEqual(Object.keys(entity.service.methods), ["Say", "Open", "Read", "Try"]);
  }
});

test("CS-17: what is no service, no file or no interval is an error at once", () => {
  for (const name of ["test.gate.Door", "test.gate.Said", "Gate", ".test.gate.Gate", ".", "", "constructor"]) {
    assert.throws(() => new Entity(PROTO, name), /^Error: The service .* is not in .*: give its full name$/, name);
  }
  assert.throws(() => new Entity("missing.proto", SERVICE), /missing.proto/);
  assert.throws(() => new Entity(new protobuf.Root(), SERVICE), /loaded from .proto files/);
  for (const notWhole of [0, -1, 0.5, Number.NaN]) {
    assert.throws(() => new Entity(PROTO, SERVICE, { snapshotEvery: notWhole }), /snapshotEvery/);
    assert.throws(() => new Entity(PROTO, SERVICE, { passivationTimeoutMs: notWhole }), /passivationTimeoutMs/);
  }
  assert.throws(() => new Entity(PROTO, SERVICE, { persistenceId: "" }), /persistenceId/);
});

for (const protocol of [FIRST, LATER]) {
  const name = protocol === FIRST ? "first protocol" : "later protocol";
  const openStream = (init: Message = {}) =>
    backend.open(protocol).send({ init: { serviceName: SERVICE, entityId: "g", ...init } });

  test(`CS-18, ${name}: the behaviour is asked again after every event, and may depend on the state`, async () => {
    const stream = openStream().send(command(1, "Say", { text: "a", times: 1 }), command(2, "Open"));
    stream.send(command(3, "Open"), command(4, "Say", { text: "b", times: 1 }), command(5, "Read")).end();
    const answers = await stream.rest();
    assert.deepEqual(failureOf(answers[2]), { commandId: 3, description: "No handler register for command 'Open'" });
    assert.equal(textOf(answers[4]), "gaOPENB");
  });

  test(`CS-19, ${name}: a command that fails keeps none of its events, even where the handler catches it`, async () => {
    deeds.set("fail", (context) => {
      context.emit(Said.create({ text: "lost" }));
      try {
        context.fail("not today");
      } catch {}
      return { text: "saved?" };
    });
    const stream = openStream()
      .send(command(1, "Try", { text: "fail" }), command(2, "Read"))
      .end();
    const answers = await stream.rest();
    assert.deepEqual(failureOf(answers[0]), { commandId: 1, description: "not today" });
    assert.equal(textOf(answers[1]), "g");
  });

  test(`CS-19, ${name}: a context is of no use after its handler has returned`, async () => {
    let kept: EventSourcedContext | undefined;
    deeds.set("keep", async (context) => {
      await undefined;
      context.emit(Said.create({ text: "in time" }));
      kept = context;
      return {};
    });
    const stream = openStream().send(command(1, "Try", { text: "keep" }));
    assert.equal(eventsOf(await stream.next()).length, 1);
    for (const use of [() => kept?.emit(Said.create()), () => kept?.fail("late"), () => kept?.forward("a/b", {})]) {
      assert.throws(use, { message: "Command context no longer active!" });
    }
    assert.equal(textOf(await ask(stream, command(2, "Read"))), "gin time");
  });

  test(`CS-19, ${name}: asynchronous handlers of one stream run strictly one after another`, async () => {
    const steps: string[] = [];
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const begun = Promise.withResolvers<void>();
    for (const [index, { promise }] of gates.entries()) {
      deeds.set(`slow${index}`, async (context, { said }) => {
        steps.push(`begin ${index} ${said.length}`);
        begun.resolve();
        await promise;
        context.emit(Said.create({ text: String(index) }));
        steps.push(`end ${index}`);
        return {};
      });
    }
    const stream = openStream().send(command(1, "Try", { text: "slow0" }), command(2, "Try", { text: "slow1" }));
    await begun.promise;
    gates[1]?.resolve();
    gates[0]?.resolve();
    assert.deepEqual(
      (await stream.end().rest()).map((answer) => eventsOf(answer).length),
      [1, 1],
    );
    assert.deepEqual(steps, ["begin 0 1", "end 0", "begin 1 2", "end 1"]);
  });

  test(`CS-20, ${name}: events are applied behind the handler, by full name or short name`, async () => {
    let seen: number | undefined;
    deeds.set("look", (context, state) => {
      context.emit(Said.create({ text: "x" }));
      seen = state.said.length;
      return {};
    });
    const stream = openStream()
      .send(command(1, "Try", { text: "look" }), command(2, "Read"))
      .end();
    const answers = await stream.rest();
    assert.equal(seen, 1);
    assert.equal(textOf(answers[1]), "gx");
  });

  test(`CS-20, ${name}: an event without a handler ends the stream with a failure that says so`, async () => {
    const isOpen = anyOf(StateType, { isOpen: true });
    const stream = openStream({ snapshot: { snapshotSequence: 1, snapshot: isOpen } });
    const [answer, ...more] = await stream.send(event(2, anyOf(Opened))).rest();
    assert.match(failureOf(answer).description, /event 2: .*No handler registered for event 'test.gate.Opened'/);
    assert.deepEqual(more, []);
  });

  test(`CS-21, ${name}: a snapshot comes with the reply whose events cross a multiple, after all of them`, async () => {
    const stream = openStream().send(
      command(1, "Say", { text: "a", times: 2 }),
      command(2, "Say", { text: "b", times: 3 }),
    );
    const answers = await stream
      .send(command(3, "Say", { text: "c", times: 1 }))
      .end()
      .rest();
    const snapshots = answers
      .map((answer) => replyOf(answer)["snapshot"])
      .map((any) => (any === null ? null : readAny(gate.root, any)));
    assert.deepEqual(
      snapshots.map((snapshot) => snapshot && (snapshot["said"] as string[]).join("")),
      [null, "gaabbb", "gaabbbc"],
    );
  });

  test(`CS-21, ${name}: an entity comes back from a snapshot without bytes, and events behind it`, async () => {
    for (const value of [{}, { value: new Uint8Array() }]) {
      const snapshot = { type_url: "type.googleapis.com/test.gate.State", ...value };
      const stream = openStream({ snapshot: { snapshotSequence: 4, snapshot } });
      const sent = stream.send(event(5, anyOf(Said, { text: "z" })), command(1, "Say", { text: "y", times: 1 }));
      const answers = await sent.send(command(2, "Read")).end().rest();
      assert.deepEqual(readAny(gate.root, replyOf(answers[0])["snapshot"])["said"], ["z", "y"]);
      assert.equal(textOf(answers[1]), "zy");
    }
  });
}

test("CS-21: a state that could be no snapshot is refused with the first events, not with the hundredth", async () => {
  const plain = new Entity<object>(PROTO, SERVICE)
    .setInitial(() => ({ said: [] }))
    .setBehavior(() => ({
      commandHandlers: {
        Say: (_: object, _state, context) => {
          context.emit(Said.create());
          return {};
        },
        Read: () => ({}),
      },
      eventHandlers: { Said: (_: object, state) => state },
    }));
  using other = new RawBackend(await plain.start({ bindAddress: "127.0.0.1" }));
  const stream = other.open(LATER).send({ init: { serviceName: SERVICE, entityId: "g" } });
  const answers = await stream.send(command(1, "Read"), command(2, "Say")).rest();
  await plain.shutdown();
  assert.equal(eventsOf(answers[0]).length, 0);
  assert.match(failureOf(answers[1]).description, /'Say': .*a JSON object that has a type/);
});

test("a reply that is no object, or another message, is an error", async () => {
  for (const reply of [[], ["a"], "text", 5, true, Said.create()]) {
    deeds.set("reply", () => reply as object);
    const stream = backend.open(LATER).send({ init: { serviceName: SERVICE, entityId: "g" } });
    const answer = await ask(stream, command(1, "Try", { text: "reply" }));
    assert.match(failureOf(answer).description, /^Error handling command 'Try': .*test\.gate\.Answer/);
  }
});

test("a forward to what is no method of this program is an error", async () => {
  for (const method of [
    "",
    "/",
    SERVICE,
    `/${SERVICE}/Read`,
    `${SERVICE}/Read/x`,
    `${SERVICE}/constructor`,
    "Gate/Read",
  ]) {
    deeds.set("forward", (context) => {
      context.forward(method, {});
      return {};
    });
    const stream = backend.open(LATER).send({ init: { serviceName: SERVICE, entityId: "g" } });
    const answer = await ask(stream, command(1, "Try", { text: "forward" }));
    assert.equal(failureOf(answer).description, `Error handling command 'Try': Error: Unknown method ${method}`);
  }
});

test("forwards and side effects go out in the later protocol, and are an error in the first", async () => {
  deeds.set("forward", (context) => {
    context.effect(`${SERVICE}/Say`, { gateId: "h", text: "hi" }, { synchronous: true });
    context.forward(`${SERVICE}/Read`, { gateId: "h" });
    return {};
  });
  const stream = backend.open(LATER).send({ init: { serviceName: SERVICE, entityId: "g" } });
  const reply = replyOf(await ask(stream, command(1, "Try", { text: "forward" })));
  const { forward } = reply["clientAction"] as { forward: Message };
  assert.deepEqual([forward["serviceName"], forward["commandName"]], [SERVICE, "Read"]);
  assert.equal(readAny(gate.root, forward["payload"])["gateId"], "h");
  const [effect] = reply["sideEffects"] as Message[];
  assert.deepEqual([effect?.["commandName"], effect?.["synchronous"]], ["Say", true]);
  const [refused] = await backend
    .open(FIRST)
    .send(command(1, "Try", { text: "forward" }))
    .rest();
  assert.match(failureOf(refused).description, /first protocol has no forwards/);
});

/** Where the imports of the entity's file are. */
function protoPath(name: string): string {
  const folder = name.startsWith("google/") ? new URL(".", import.meta.resolve("protobufjs")) : PROTOCOLS;
  return fileURLToPath(new URL(name, folder));
}
