import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, command, deeds, event, failureOf, gate, Said, SERVICE, textOf } from "./gate.test-support.ts";
import { anyOf, FIRST, LATER, type Message, RawBackend, type RawStream } from "./raw-backend.test-support.ts";

const PAYLOAD = { type_url: "type.googleapis.com/test.gate.Request" };

let backend: RawBackend;

before(async () => {
  backend = new RawBackend(await gate.start({ bindAddress: "127.0.0.1" }));
});

after(async () => {
  backend[Symbol.dispose]();
  await gate.shutdown();
});

for (const protocol of [FIRST, LATER]) {
  const name = protocol === FIRST ? "first protocol" : "later protocol";
  const openStream = (init: Message = {}) =>
    backend.open(protocol).send({ init: { serviceName: SERVICE, entityId: "g", ...init } });

  test(`CS-24, ${name}: an unknown command fails, and the stream stays`, async () => {
    const stream = openStream();
    for (const [id, unknown] of ["Close", "constructor", "toString"].entries()) {
      const answer = await ask(stream, command(id + 1, unknown));
      assert.deepEqual(failureOf(answer), { commandId: id + 1, description: `Unknown command named ${unknown}` });
    }
    assert.equal(textOf(await ask(stream, command(9, "Read"))), "g");
  });

  test(`CS-24, ${name}: a handler that throws ends the stream, and the commands in flight are answered`, async () => {
    deeds.set("throw", (context) => {
      context.emit(Said.create({ text: "lost" }));
      throw new Error("boom");
    });
    const stream = openStream().send(command(1, "Try", { text: "throw" }), command(2, "Read"), command(3, "Read"));
    const answers = await stream.rest();
    assert.deepEqual(
      answers.map((answer) => failureOf(answer).commandId),
      [1, 2, 3],
    );
    assert.equal(failureOf(answers[0]).description, "Error handling command 'Try': Error: boom");
    assert.match(failureOf(answers[2]).description, /^Entity terminated: .*boom/);
  });

  test(`CS-24, ${name}: commands in flight when the backend ends the stream are all answered`, async () => {
    deeds.set("slow", async () => {
      await new Promise(setImmediate);
      return { text: "done" };
    });
    const stream = openStream()
      .send(...[1, 2, 3].map((id) => command(id, "Try", { text: "slow" })))
      .end();
    assert.deepEqual((await stream.rest()).map(textOf), ["done", "done", "done"]);
  });

  test(`CS-24, ${name}: a payload that cannot be read ends the stream`, async () => {
    const torn = { ...PAYLOAD, value: new Uint8Array([0x12, 0x7f]) };
    for (const payload of [
      torn,
      { type_url: "type.googleapis.com/test.gate.Said", value: new Uint8Array() },
      undefined,
    ]) {
      const answers = await openStream()
        .send({ command: { entityId: "g", id: 4, name: "Say", payload } })
        .rest();
      assert.equal(answers.length, 1);
      assert.equal(failureOf(answers[0]).commandId, 4);
      assert.match(failureOf(answers[0]).description, /^Error handling command 'Say': Error|RangeError/);
    }
  });

  test(`CS-24, ${name}: a second init, an empty message and a bad event end the stream with the reason`, async () => {
    const init = { init: { serviceName: SERVICE, entityId: "g" } };
    const cases: [RawStream, RegExp][] = [
      [openStream().send(init), /^Init message received twice\.$/],
      [openStream().send({}), /empty/],
      [openStream().send(event(1, { type_url: "type.googleapis.com/test.gate.Gone" })), /event 1: .*test.gate.Gone/],
      [openStream().send(event(1, anyOf(Said)), event(3, anyOf(Said))), /event 3: .*follows 1/],
      [openStream().send(command(1, "Say", { times: 0 }), event(1, anyOf(Said))), /Event 1 came after a command/],
      [backend.open(protocol).send(event(1, anyOf(Said))), /Event 1 came before an init/],
    ];
    for (const [stream, reason] of cases) {
      const last = (await stream.rest()).at(-1);
      assert.equal(failureOf(last).commandId, 0);
      assert.match(failureOf(last).description, reason);
    }
  });

  test(`CS-24, ${name}: a stream that the backend breaks leaves the others alone`, async () => {
    const broken = openStream();
    assert.equal(textOf(await ask(broken, command(1, "Read"))), "g");
    broken.cancel();
    await assert.rejects(broken.rest(), { code: 1 });
    const release = Promise.withResolvers<object>();
    const begun = Promise.withResolvers<void>();
    deeds.set("hang", () => {
      begun.resolve();
      return release.promise;
    });
    const hanging = openStream().send(command(1, "Try", { text: "hang" }));
    await begun.promise;
    hanging.cancel();
    await assert.rejects(hanging.rest(), { code: 1 });
    release.resolve({ text: "nobody listens" });
    assert.equal(textOf(await ask(openStream(), command(1, "Read"))), "g");
  });
}

test("CS-24: a command before an init is accepted in the first protocol, and refused in the later one", async () => {
  const before = backend.open(FIRST);
  assert.equal(textOf(await ask(before, command(1, "Read"))), "g");
  const [answer] = await backend.open(LATER).send(command(1, "Read")).rest();
  assert.deepEqual(failureOf(answer), { commandId: 1, description: "A command came before an init" });
});

test("an init for another service ends the stream in the later protocol", async () => {
  const [answer] = await backend
    .open(LATER)
    .send({ init: { serviceName: "test.gate.Door", entityId: "g" } })
    .rest();
  assert.match(failureOf(answer).description, /no event-sourced entity .*test.gate.Door/);
});
