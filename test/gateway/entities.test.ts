import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { findFreePort } from "@genserverless/local/ports.ts";
import { status } from "@grpc/grpc-js";
import { assertNoChildLeft, type Child } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { type Gateway, GatewayCluster } from "./gateway-cluster.ts";
import { type Misdeed, request, type Step, Text } from "./model/messages.ts";

const WITHIN = { withinMs: 20_000 };

for (const protocol of ["lightbend", "cloudstate"] as const) {
  suite(`the entities of a user function (${protocol})`, () => {
    const world = new GatewayCluster();
    let model: Child;
    let gateway: Gateway;

    before(async () => {
      await world.start();
      const port = await findFreePort();
      model = await world.startModel(port, { PROTOCOL: protocol });
      gateway = await world.startGateway(port, { RELAY_TIMEOUT_MS: "5000", PASSIVATION_TIMEOUT_MS: "60000" });
      await gateway.untilOpen();
    });
    after(async () => {
      await world.stop();
      assertNoChildLeft();
    });

    const call = (id: string, ...script: Step[]) => gateway.call(request(id, ...script));
    const fail = (id: string, ...script: Step[]) => gateway.fail(request(id, ...script));
    /** What the model has heard of an entity, over all its streams. */
    const heard = (id: string) => {
      const streams = new Set(
        model.records.filter(({ msg, entity }) => msg === "init" && entity === id).map(({ stream }) => stream),
      );
      return model.records.filter(({ stream, msg }) => streams.has(stream) && msg !== "handled");
    };
    /** So many of its commands are in hand, or wait. */
    const untilListed = async (id: string, list: "active" | "wait", count: number) => {
      const redis = world.cluster.redis.connect();
      const isListed = async () => {
        const [key = ""] = await redis.keys(`${world.cluster.keyPrefix}:*:q:model/${id}@*:${list}`);
        return (await redis.llen(key)) === count;
      };
      await until(isListed, { ...WITHIN, what: `${list} has ${count} commands of ${id}` });
    };
    const untilHeard = (id: string, msg: string) =>
      until(() => heard(id).some((record) => record["msg"] === msg), { ...WITHIN, what: `the model hears ${msg}` });

    test("CS-2: bytes go through as they are, fields that the descriptor does not know too", async () => {
      const unknown = Buffer.from([0xfa, 0x3f, 3, 1, 2, 3]);
      const sent = Buffer.concat([request("bytes", { emit: "A" }), unknown]);
      assert.deepEqual(await gateway.callRaw(sent), Text.write({ message: "A" }));
      const [command] = heard("bytes").filter(({ msg }) => msg === "command");
      assert.equal(command?.["payload"], sent.toString("hex"));
    });

    test("CS-2: an unknown method, and an unknown service, are UNIMPLEMENTED", async () => {
      const [method] = await gateway.fail(request("a"), { method: "/model.Model/Absent" });
      const [service] = await gateway.fail(request("a"), { method: "/absent.Service/Process" });
      assert.deepEqual([method, service], [status.UNIMPLEMENTED, status.UNIMPLEMENTED]);
    });

    test("CS-2: a request that is no message is INVALID_ARGUMENT", async () => {
      const [code, text] = await gateway.fail(Buffer.from([0x0a, 0x7f, 0x01]));
      assert.equal(code, status.INVALID_ARGUMENT);
      assert.match(text, /the request is no model\.Request/);
    });

    test("CS-3: ids of any characters and of any length name an entity each, and the user function gets them as they are", async () => {
      const ids = ["", ".", "..", "a/b", "ä€🛒", "~41", "A", "a b\n", "x".repeat(500), `${"x".repeat(499)}y`];
      for (const id of ids) assert.equal(await call(id, { emit: `<${id}>` }), `<${id}>`);
      for (const id of ids) assert.equal(await call(id, { emit: "!" }), `<${id}>!`);
      const inits = new Set(model.records.filter(({ msg }) => msg === "init").map(({ entity }) => entity));
      const commands = new Set(model.records.filter(({ msg }) => msg === "command").map(({ entity }) => entity));
      for (const id of ids) assert.ok(inits.has(id) && commands.has(id), JSON.stringify(id));
    });

    test("CS-4: a command has the method's name, the request's type, and an id that counts from 1", async () => {
      await call("counted", { emit: "A" });
      await call("counted", { emit: "B" });
      const commands = heard("counted").filter(({ msg }) => msg === "command");
      assert.deepEqual(
        commands.map(({ id, name, type }) => [id, name, type]),
        [1, 2].map((id) => [id, "Process", "type.googleapis.com/model.Request"]),
      );
    });

    test("CS-5: concurrent commands on one entity are handled one at a time, in order, and each is answered", async () => {
      const letters = Array.from("abcdefghijklmnopqrst");
      const answers = await Promise.all(letters.map((letter) => call("busy", { waitMs: 5 }, { emit: letter })));
      const last = answers.toSorted((a, b) => a.length - b.length).at(-1) ?? "";
      assert.equal(last.length, letters.length);
      for (const answer of answers) assert.ok(last.startsWith(answer), `${answer} is a state before ${last}`);
      const order = model.records.filter(
        ({ msg, entity }) => (msg === "command" && entity === "busy") || msg === "handled",
      );
      const commands = order.map(({ msg }) => msg).join(" ");
      assert.doesNotMatch(commands, /command command/);
    });

    test("CS-10: a failure is UNKNOWN with its text, keeps nothing, and leaves the entity as it was", async () => {
      await call("failing", { emit: "A" });
      assert.deepEqual(await fail("failing", { emit: "lost" }, { fail: "expected failure" }), [
        status.UNKNOWN,
        "expected failure",
      ]);
      assert.equal(await call("failing", { emit: "B" }), "AB");
      const ids = heard("failing").flatMap(({ msg, id }) => (msg === "command" ? [id] : []));
      assert.deepEqual(ids, [1, 2, 3], "on one stream");
      assert.equal(heard("failing").filter(({ msg }) => msg === "init").length, 1);
    });

    const detailed = protocol === "lightbend";
    const violations: [Misdeed, string][] = [
      ["wrong-id", "Incorrect command id in reply, expecting 2 but got 9"],
      ["nothing", "Empty message received from user function"],
      ["failure-0", "Non command specific error from entity: nobody's fault"],
      ["no-payload", "Reply without a payload for the caller"],
      ["lone-snapshot", "Snapshot without events"],
      ["untyped-event", "Event or snapshot without a type"],
    ];
    for (const [misdeed, details] of violations) {
      test(`CS-11: ${misdeed} ends the entity: its caller gets an error, and the next command finds what was kept`, async () => {
        await call(misdeed, { emit: "A" });
        const failed = await fail(misdeed, { emit: "lost" }, { misbehave: misdeed });
        assert.deepEqual(failed, [status.UNKNOWN, detailed ? details : "Unexpected entity failure"]);
        const isTold = ({ msg, reason }: Record<string, unknown>) => msg === "entity.terminated" && reason === details;
        await gateway.child.untilRecord(isTold, { ...WITHIN, what: details });
        assert.equal(await call(misdeed, { emit: "B" }), "AB");
        assert.equal(heard(misdeed).filter(({ msg }) => msg === "init").length, 2);
      });
    }

    test("CS-11: a reply that comes twice ends the entity; what the first one said is kept", async () => {
      await call("twice", { emit: "A" });
      assert.equal(await call("twice", { misbehave: "twice" }, { emit: "unheard" }), "A");
      const isTold = ({ msg, entity }: Record<string, unknown>) =>
        msg === "entity.terminated" && entity === "model/twice";
      await gateway.child.untilRecord(isTold, { ...WITHIN, what: "the second reply is refused" });
      assert.equal(await call("twice", { emit: "B" }), "AB");
    });

    test("CS-11: what waits behind a violation gets Entity terminated, and what comes after it is handled", async () => {
      await call("queue", { emit: "A" });
      await model.pause();
      const first = fail("queue", { misbehave: "wrong-id" });
      await untilListed("queue", "active", 1);
      const waiting = ["b", "c", "d"].map((letter) => fail("queue", { emit: letter }));
      await untilListed("queue", "wait", 3);
      model.resume();
      assert.equal((await first)[0], status.UNKNOWN);
      for (const one of await Promise.all(waiting)) assert.deepEqual(one, [status.UNKNOWN, "Entity terminated"]);
      assert.equal(await call("queue", { emit: "B" }), "AB");
    });

    const breaks: Misdeed[] = ["end", "break", "garbage", "large"];
    for (const misdeed of breaks) {
      test(`CS-12: a stream that breaks (${misdeed}) ends the entity: its caller gets an error, the next command replays`, async () => {
        await call(misdeed, { emit: "A" });
        assert.deepEqual(await fail(misdeed, { emit: "lost" }, { misbehave: misdeed }), [
          status.UNKNOWN,
          "Unexpected entity termination",
        ]);
        assert.equal(await call(misdeed, { emit: "B" }), "AB");
        const replayed = heard(misdeed).filter(({ msg }) => msg === "event");
        assert.deepEqual(
          replayed.map(({ sequence, isTyped }) => [sequence, isTyped]),
          [[1, true]],
        );
      });
    }

    test("CS-16: a command that gets no answer is DEADLINE_EXCEEDED after the relay timeout; the entity goes on", async () => {
      await call("silent", { emit: "A" });
      const startedAt = performance.now();
      const [code] = await fail("silent", { misbehave: "never" });
      assert.equal(code, status.DEADLINE_EXCEEDED);
      assert.ok(performance.now() - startedAt >= 4_900);
      await untilHeard("silent", "cancelled");
      assert.equal(await call("silent", { emit: "B" }), "AB");
    });

    test("CS-16: a client that gives up earlier is told so; its command may still be handled", async () => {
      await call("hasty", { emit: "A" });
      await model.pause();
      const [code] = await gateway.fail(request("hasty", { emit: "B" }), { withinMs: 1_500 });
      assert.equal(code, status.DEADLINE_EXCEEDED);
      model.resume();
      const seen = async () => (await call("hasty")) === "AB";
      assert.ok(await until(seen, { ...WITHIN, what: "B is there" }));
    });

    test("CS-6, CS-8: snapshots are kept with their events; recovery is the snapshot, then the events after it", async () => {
      await call("kept", { emit: "A" });
      await call("kept", { emit: "B" }, { emit: "C" }, { emit: "D" });
      await call("kept", { emit: "E" });
      await call("kept", { emit: "F" });
      assert.equal((await fail("kept", { misbehave: "end" }))[0], status.UNKNOWN);
      assert.equal(await call("kept", { emit: "G" }), "ABCDEFG");
      const [, ...again] = heard("kept").filter(({ msg }) => msg === "init" || msg === "event");
      assert.deepEqual(
        again.map(({ msg, sequence, text }) => [msg, sequence, text]),
        [
          ["init", 5, "ABCDE"],
          ["event", 6, undefined],
        ],
      );
    });

    test("a snapshot of no bytes is one, and is written as such", async () => {
      await call("emptied", { emit: "A" });
      await call("emptied", { misbehave: "empty-snapshot" });
      assert.equal((await fail("emptied", { misbehave: "end" }))[0], status.UNKNOWN);
      assert.equal(await call("emptied", { emit: "B" }), "B");
      const last = heard("emptied").findLast(({ msg }) => msg === "init");
      assert.deepEqual([last?.["sequence"], last?.["text"], last?.["hasValue"]], [2, "", true]);
    });
  });
}
