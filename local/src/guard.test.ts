import assert from "node:assert/strict";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { assertNoChildLeft, Child } from "../../test/tools/child.ts";
import { until } from "../../test/tools/until.ts";
import { Guard } from "./guard.ts";
import { isAlive, waitUntilGone } from "./os-process.ts";

const SOON = 60_000;

after(assertNoChildLeft);

/** Stands where npm start stands: has a guard, to which it tells each line's children. */
const GUARDED = `
import { Guard } from ${JSON.stringify(join(import.meta.dirname, "guard.ts"))};
const guard = new Guard();
guard.start();
for (const list of JSON.parse(process.argv[1])) guard.tell(list);
let shown;
setInterval(() => shown !== guard.pid && console.log((shown = guard.pid)), 10);
`;

interface Told {
  pid: number;
  birth: string;
  name: string;
}

async function startSleeper(t: TestContext, name: string): Promise<Told> {
  const child = new Child({ name, command: "sleep", args: ["60"] });
  await child.start();
  t.after(() => child.kill());
  return { pid: child.pid, birth: "", name };
}

async function startGuarded(t: TestContext, lists: Told[][]): Promise<{ guarded: Child; guardPid: number }> {
  const args = ["--input-type=module", "-e", GUARDED, JSON.stringify(lists)];
  const guarded = new Child({ name: "guarded", command: process.execPath, args });
  await guarded.start();
  t.after(() => guarded.kill());
  return { guarded, guardPid: Number(await guarded.untilLine(/^\d+$/, { withinMs: SOON })) };
}

test("ends what ran last when the process that it guards is killed", async (t) => {
  const [node, redis] = [await startSleeper(t, "api-1"), await startSleeper(t, "redis")];
  const spared = await startSleeper(t, "worker-1");
  const { guarded, guardPid } = await startGuarded(t, [
    [redis, spared],
    [redis, node],
  ]);
  await guarded.kill();
  for (const pid of [node.pid, redis.pid, guardPid]) assert.equal(await waitUntilGone(pid, SOON), true);
  assert.equal(isAlive(spared.pid), true);
});

test("ends nothing after a proper stop", async (t) => {
  const spared = await startSleeper(t, "api-1");
  const guard = new Guard();
  guard.start();
  guard.tell([spared]);
  guard.stop();
  guard.stop();
  assert.equal(await waitUntilGone(guard.pid as number, SOON), true);
  assert.equal(isAlive(spared.pid), true);
  new Guard().stop();
});

test("is started again when it is killed, and knows what runs", async (t) => {
  const node = await startSleeper(t, "api-1");
  const { guarded, guardPid } = await startGuarded(t, [[node]]);
  process.kill(guardPid, "SIGKILL");
  await until(() => guarded.stdout.length === 2, { withinMs: SOON });
  await guarded.kill();
  assert.equal(await waitUntilGone(node.pid, SOON), true);
});
