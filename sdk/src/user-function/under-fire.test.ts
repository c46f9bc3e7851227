import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { after, before, test } from "node:test";
import { Entity } from "./entity.ts";
import { ask, command, deeds, failureOf, gate, PROTO, Said, SERVICE, textOf } from "./gate.test-support.ts";
import { FIRST, LATER, RawBackend, VALUE } from "./raw-backend.test-support.ts";

const INIT = { init: { serviceName: SERVICE, entityId: "g" } };
let port: number;
let backend: RawBackend;

before(async () => {
  port = await gate.start({ bindAddress: "127.0.0.1" });
  backend = new RawBackend(port);
});

after(async () => {
  backend[Symbol.dispose]();
  await gate.shutdown();
});

async function assertAlive(): Promise<void> {
  using other = new RawBackend(port);
  assert.equal(textOf(await ask(other.open(LATER).send(INIT), command(1, "Read"))), "g");
}

for (const protocol of [FIRST, LATER]) {
  const name = protocol === FIRST ? "first protocol" : "later protocol";

  test(`CS-24, ${name}: whatever a handler throws, the failure has the command's id`, async () => {
    const thrown = [Object.create(null), Symbol("no"), null, undefined, { toString: () => assert.fail("no") }];
    for (const [index, error] of thrown.entries()) {
      deeds.set("throw", () => {
        throw error;
      });
      const [answer] = await backend
        .open(protocol)
        .send(INIT, command(index + 1, "Try", { text: "throw" }))
        .rest();
      assert.equal(failureOf(answer).commandId, index + 1);
      assert.match(failureOf(answer).description, /^Error handling command 'Try': /);
    }
  });

  test(`CS-19, ${name}: whatever fail is given, the command fails, and the stream stays`, async () => {
    const stream = backend.open(protocol).send(INIT);
    const given: [unknown, string][] = [
      [undefined, "undefined"],
      [new Error("no"), "Error: no"],
      [5, "5"],
      ["", ""],
    ];
    for (const [index, [message, description]] of given.entries()) {
      deeds.set("fail", (context) => context.fail(message as string));
      const answer = await ask(stream, command(index + 1, "Try", { text: "fail" }));
      assert.deepEqual(failureOf(answer), { commandId: index + 1, description });
    }
    assert.equal(textOf(await ask(stream, command(9, "Read"))), "g");
  });

  test(`${name}: a backend that does not read gets no further answers made for it`, async () => {
    let made = 0;
    const text = "x".repeat(100_000);
    deeds.set("big", () => {
      made++;
      return { text };
    });
    const commands = Array.from({ length: 500 }, (_, index) => command(index + 1, "Try", { text: "big" }));
    const stream = backend
      .open(protocol)
      .send(INIT, ...commands)
      .end();
    for (let seen = -1; seen !== made; ) {
      seen = made;
      for (let round = 0; round < 5; round++) await assertAlive();
    }
    assert.ok(made < 100, `${made} answers are made`);
    assert.equal((await stream.rest()).length, 500);
  });
}

test("a command of 50 MB goes through, and so does its answer of twice the size", async () => {
  using large = new RawBackend(port, { "grpc.max_receive_message_length": -1 });
  const text = "x".repeat(50_000_000);
  const stream = large.open(LATER).send(INIT, command(1, "Say", { text, times: 1 }));
  assert.equal(textOf(await stream.end().next()), text);
});

test("five hundred streams of one entity at once have each a state of their own", async () => {
  const streams = Array.from({ length: 500 }, () => backend.open(LATER).send(INIT));
  for (const [index, stream] of streams.entries()) {
    stream.send(command(1, "Say", { text: String(index), times: 1 }), command(2, "Read")).end();
  }
  const answers = await Promise.all(streams.map((stream) => stream.rest()));
  assert.ok(answers.every(([, answer], index) => textOf(answer) === `g${index}`));
});

test("garbage instead of messages, or of HTTP/2, ends that stream or that connection alone", async () => {
  const watched = backend.open(LATER).send(INIT);
  await ask(watched, command(1, "Say", { text: "a", times: 1 }));
  const session = connect(`http://127.0.0.1:${port}`);
  for (const service of [FIRST, LATER, VALUE]) {
    for (const message of ["00000000 04 ffffffff", "01000000 04 01020304", "00000000 02 0a7f"]) {
      const request = session.request({
        ":method": "POST",
        ":path": `/${service}/handle`,
        "content-type": "application/grpc",
      });
      request.end(Buffer.from(message.replaceAll(" ", ""), "hex"));
      const [headers] = await once(request.resume(), "response");
      const [trailers] = headers["grpc-status"] ? [headers] : await once(request, "trailers");
      assert.equal(trailers["grpc-status"], "13");
    }
  }
  session.close();
  for (const bytes of [
    "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense",
    "\x16\x03\x01",
  ]) {
    const socket = createConnection(port, "127.0.0.1").on("error", () => undefined);
    socket.end(bytes);
    await once(socket.resume(), "close");
  }
  assert.equal(textOf(await ask(watched, command(2, "Read"))), "ga");
});

test("a handler that never settles holds up its own stream alone", async () => {
  const begun = Promise.withResolvers<void>();
  deeds.set("never", () => {
    begun.resolve();
    return new Promise(() => undefined);
  });
  const stream = backend.open(LATER).send(INIT, command(1, "Try", { text: "never" }), command(2, "Read"));
  await begun.promise;
  await assertAlive();
  stream.cancel();
  await assert.rejects(stream.rest(), { code: 1 });
});

test("a command that waits when the backend breaks the stream is not carried out", async () => {
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<object>();
  let carriedOut = 0;
  deeds.set("wait", () => {
    carriedOut++;
    begun.resolve();
    return release.promise;
  });
  const commands = [1, 2, 3].map((id) => command(id, "Try", { text: "wait" }));
  const stream = backend.open(LATER).send(INIT, ...commands);
  await begun.promise;
  stream.cancel();
  await assert.rejects(stream.rest(), { code: 1 });
  await assertAlive();
  release.resolve({});
  await assertAlive();
  assert.equal(carriedOut, 1);
});

test("CS-22: a handler that settles after shutdown disturbs nobody", async () => {
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const entity = new Entity<object>(PROTO, SERVICE);
  entity
    .setInitial(() => Said.create())
    .setBehavior(() => ({
      commandHandlers: {
        Say: async (_: object, _state, context) => {
          begun.resolve();
          await release.promise;
          context.emit(Said.create());
          return {};
        },
      },
      eventHandlers: {},
    }));
  using other = new RawBackend(await entity.start({ bindAddress: "127.0.0.1" }));
  const answers = assert.rejects(other.open(LATER).send(INIT, command(1, "Say"), command(2, "Say")).rest());
  await begun.promise;
  await entity.shutdown();
  await answers;
  release.resolve();
  await assertAlive();
});

test("CS-22: shutdown while the server starts ends it too", async () => {
  const entity = new Entity(PROTO, SERVICE);
  const starting = entity.start({ bindAddress: "127.0.0.1" });
  await entity.shutdown();
  const [refused] = await once(createConnection(await starting, "127.0.0.1"), "error");
  assert.equal(refused.code, "ECONNREFUSED");
  await entity.start({ bindAddress: "127.0.0.1" });
  await entity.shutdown();
});

test("the streams of a backend whose machine is gone are ended", async () => {
  const entity = new Entity(PROTO, SERVICE).setInitial(() => Said.create());
  const upstream = await entity.start({ bindAddress: "127.0.0.1", keepaliveMs: 200 });
  const network = createServer((near) => {
    const far = createConnection(upstream, "127.0.0.1");
    near.pipe(far).pipe(near);
    network.once("unplugged", () => {
      near.unpipe(far).resume();
      far.unpipe(near).resume();
      far.once("close", () => near.destroy());
    });
  });
  await once(network.listen(0, "127.0.0.1"), "listening");
  using far = new RawBackend((network.address() as AddressInfo).port);
  const stream = far.open(LATER).send(INIT);
  await ask(stream, command(1, "Nothing"));
  network.emit("unplugged");
  await assert.rejects(stream.rest(), { code: 14 });
  network.close();
  await entity.shutdown();
});
