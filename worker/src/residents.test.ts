import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { evictSession } from "@genserverless/shared/cluster/eviction.ts";
import { Leases } from "@genserverless/shared/cluster/leases.ts";
import { readPublishedLua } from "@genserverless/shared/cluster/mailbox.ts";
import { type Held, ScriptBench } from "@genserverless/shared/cluster/scripts.test-support.ts";
import { RedisLink } from "@genserverless/shared/redis/connection.ts";
import { moduleOf } from "@genserverless/shared/redis/keys.ts";
import { loadScripts } from "@genserverless/shared/redis/scripts.ts";
import { StateStores } from "@genserverless/shared/stores/state-stores.ts";
import { defineServer, type ServerModule } from "genserverless";
import { assertNoChildLeft } from "../../test/tools/child.ts";
import { FaultProxy } from "../../test/tools/fault-proxy/fault-proxy.ts";
import { until } from "../../test/tools/until.ts";
import { Activation } from "./activation.ts";
import { Residents } from "./residents.ts";

/** What becomes of a process in memory that is to be given up: on a Redis whose answers can be lost on the way. */

const bench = new ScriptBench();
const scripts = loadScripts(readPublishedLua());
const module = defineServer({ name: "m", version: 1, init: () => 0 }) as ServerModule;
let proxy: FaultProxy;
let link: RedisLink;

before(async () => {
  await bench.start();
  proxy = new FaultProxy(bench.server.url);
  await proxy.start();
  const url = proxy.urlOf(bench.server.url);
  link = new RedisLink({ url, name: "worker", scripts, events: bench.events, silenceMs: 3_000 });
  await link.start();
});

after(async () => {
  await link.stop();
  await proxy.stop();
  await bench.stop();
  assertNoChildLeft();
});

/** A process that is idle in the memory of its worker. */
async function aResident(): Promise<Held & { residents: Residents }> {
  const held = await bench.startProcess();
  const residents = new Residents({
    leases: new Leases(link, bench.keys),
    stores: new StateStores([]),
    mostActivations: 10,
    isRunning: () => false,
    reserve: () => () => {},
    isCurrent: () => true,
  });
  const claimed = await bench.claim(held.pid, held.session);
  const lease = bench.leaseOf(held.pid, held.session, claimed);
  residents.hold(new Activation(module, lease, claimed, { stateText: "0" }));
  return { ...held, lease, residents };
}

test("holds on to a process that has mail, or that nobody else runs, and forgets one that it has given up", async () => {
  const { pid, residents, lease } = await aResident();
  await residents.handOver(residents.all());
  const id = await bench.send(pid, 1);
  await residents.passivate();
  assert.equal(residents.size, 1);
  await bench.commit(lease, [id]);
  await residents.passivate();
  assert.deepEqual([residents.size, (await bench.readRecord(pid))["o"]], [0, ""]);
});

test("forgets a process whose lease is another's by now, asked to put it to sleep or to hand it over", async () => {
  for (const how of ["passivate", "handOver"] as const) {
    const { pid, session, residents } = await aResident();
    const heir = await bench.joinWorker(moduleOf(pid));
    await evictSession(bench.link, bench.keys, session);
    await bench.claim(pid, heir);
    await residents[how](residents.all());
    assert.equal(residents.size, 0, how);
  }
});

test("forgets a process where the answer is lost, and holds on to it where nothing could be asked", async () => {
  const { pid, residents } = await aResident();
  const fault = proxy.loseAnswer(scripts.passivate.sha);
  await residents.passivate();
  await fault.met;
  assert.deepEqual([residents.size, (await bench.readRecord(pid))["o"]], [0, ""]);
  await link.untilUp();

  const other = await aResident();
  await proxy.refuse(true);
  proxy.cut();
  await until(() => !link.isUp, { withinMs: 5_000, everyMs: 5, what: "the connection is gone" });
  await other.residents.passivate();
  assert.equal(other.residents.size, 1);
  await proxy.refuse(false);
  await link.untilUp();
});
