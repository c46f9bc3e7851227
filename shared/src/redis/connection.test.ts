import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import { FaultProxy } from "../../../test/tools/fault-proxy/fault-proxy.ts";
import { RedisServer } from "../../../test/tools/redis-server.ts";
import { until } from "../../../test/tools/until.ts";
import { readPublishedLua } from "../cluster/mailbox.ts";
import { type ClusterEvent, Events } from "../service/events.ts";
import { AnswerLost, type Connected, isReply, RedisDown, RedisLink } from "./connection.ts";
import { loadScripts } from "./scripts.ts";
import { Subscriber } from "./subscriber.ts";

const server = new RedisServer({ password: "secret" });
const scripts = loadScripts(readPublishedLua());
let proxy: FaultProxy;
let url: string;

before(async () => {
  await server.start();
  proxy = new FaultProxy(server.url);
  await proxy.start();
  url = proxy.urlOf(server.url);
});

after(async () => {
  await proxy.stop();
  await server.stop();
  assertNoChildLeft();
});

/** A silence that is taken for a death, where nothing is silent but a machine that stands still. */
const LONG_MS = 10_000;
const SOON = { withinMs: 10_000 };

function aLink({ silenceMs = LONG_MS } = {}): { link: RedisLink; events: ClusterEvent[]; connects: Connected[] } {
  const emitter = new Events();
  const events: ClusterEvent[] = [];
  const connects: Connected[] = [];
  emitter.listen((event) => events.push(event));
  const link = new RedisLink({ url, name: "linked", scripts, events: emitter, silenceMs });
  link.onConnect((connected) => connects.push(connected));
  return { link, events, connects };
}

test("starts and stops, stops twice, and stops without a start", async () => {
  const { link } = aLink();
  await link.start();
  assert.equal(await link.call("ping"), "PONG");
  await link.stop();
  await link.stop();
  await assert.rejects(link.call("ping"), RedisDown);
  await aLink().link.stop();
  const subscriber = new Subscriber({ url, name: "s", silenceMs: LONG_MS });
  await subscriber.stop();
  await subscriber.start();
  await subscriber.stop();
  await subscriber.stop();
});

test("a command whose answer is lost fails as AnswerLost, though it ran", async () => {
  const { link } = aLink();
  await link.start();
  const fault = proxy.loseAnswer("the-marker");
  await assert.rejects(link.call("set", "the-marker", "1"), AnswerLost);
  await fault.met;
  await link.untilUp();
  assert.equal(await link.call("get", "the-marker"), "1");
  await link.stop();
});

test("a command sent while there is no connection fails as RedisDown, and the outage is told once", async () => {
  const { link, events } = aLink();
  await link.start();
  await proxy.refuse(true);
  proxy.cut();
  await until(() => !link.isUp, SOON);
  await assert.rejects(link.call("ping"), RedisDown);
  await until(() => events.length === 1, SOON);
  await proxy.refuse(false);
  await link.untilUp();
  assert.deepEqual(
    events.map(({ name }) => name),
    ["redis.unreachable", "redis.reached"],
  );
  await link.stop();
});

test("a connection on which nothing comes back is taken for dead", async () => {
  const { link } = aLink({ silenceMs: 1_500 });
  await link.start();
  proxy.halfOpen(true, "linked");
  await assert.rejects(link.call("ping"), AnswerLost);
  proxy.halfOpen(false, "linked");
  await link.untilUp();
  assert.equal(await link.call("ping"), "PONG");
  await link.stop();
});

test("listeners learn of each connection whether the server is the one they knew, before any command is sent", async () => {
  const { link, connects } = aLink();
  await link.start();
  proxy.cut("linked");
  await until(() => connects.length === 2, SOON);
  await server.restart();
  await until(() => connects.length === 3, SOON);
  assert.deepEqual(connects, [
    { isFirst: true, isSameServer: false },
    { isFirst: false, isSameServer: true },
    { isFirst: false, isSameServer: false },
  ]);
  await link.stop();
});

test("a script that Redis has forgotten is sent again with its text", async () => {
  const { link } = aLink();
  await link.start();
  await link.call("script", "FLUSH");
  assert.deepEqual(await link.run("found", ["f"], ["f:", 1, 2]), ["1", "2"]);
  await assert.rejects(link.call("no-such-command"), (error) => isReply(error, "ERR"));
  await link.stop();
});

test("two who listen on one channel both hear it, and one goes on when the other has left", async () => {
  const { link } = aLink();
  await link.start();
  const subscriber = new Subscriber({ url, name: "two", silenceMs: LONG_MS });
  const heard: string[] = [];
  const first = (text: string) => heard.push(`first ${text}`);
  const second = (text: string) => heard.push(`second ${text}`);
  await subscriber.start();
  await subscriber.subscribe("shared", first);
  await subscriber.subscribe("shared", second);
  await link.call("publish", "shared", "a");
  await until(() => heard.length === 2, SOON);
  await subscriber.unsubscribe("shared", first);
  await link.call("publish", "shared", "b");
  await until(() => heard.length === 3, SOON);
  assert.deepEqual(heard, ["first a", "second a", "second b"]);
  await subscriber.unsubscribe("shared", second);
  assert.equal(await link.call("publish", "shared", "c"), 0);
  await subscriber.stop();
  await link.stop();
});

test("a subscriber hears its channels again after its connection was cut, and tells of the gap", async () => {
  const { link } = aLink();
  await link.start();
  const subscriber = new Subscriber({ url, name: "hearing", silenceMs: LONG_MS });
  const heard: string[] = [];
  let gaps = 0;
  subscriber.onGap(() => gaps++);
  await subscriber.start();
  await subscriber.subscribe("news", (text) => heard.push(text));
  await link.call("publish", "news", "one");
  await until(() => heard.length === 1, SOON);
  const before = gaps;
  proxy.cut("hearing:subscriber");
  await until(() => gaps > before, SOON);
  await link.call("publish", "news", "two");
  await until(() => heard.length === 2, SOON);
  assert.deepEqual(heard, ["one", "two"]);
  await subscriber.unsubscribe("news");
  await subscriber.stop();
  await link.stop();
});
