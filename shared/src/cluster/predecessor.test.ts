import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { assertNoChildLeft, Child } from "../../../test/tools/child.ts";
import { Predecessor } from "./predecessor.ts";

const SOURCE = `
import { Predecessor } from ${JSON.stringify(join(import.meta.dirname, "predecessor.ts"))};
new Predecessor(process.argv[1], "worker", "n1").leaveTrace("worker@n1#first");
console.log("left");
setInterval(() => {}, 1000);
`;

after(assertNoChildLeft);

/** A node that is running and has left its trace, and who comes after it. */
async function startNode(t: TestContext): Promise<{ node: Child; successor: Predecessor; file: string }> {
  const keyPrefix = `t${randomBytes(4).toString("hex")}`;
  const args = ["--input-type=module", "-e", SOURCE, keyPrefix];
  const node = new Child({ name: "node", command: process.execPath, args });
  const file = join(tmpdir(), `genserverless-${keyPrefix}-worker-n1.json`);
  await node.start();
  t.after(async () => {
    await node.kill();
    rmSync(file);
  });
  await node.untilLine(/left/, { withinMs: 5_000 });
  return { node, successor: new Predecessor(keyPrefix, "worker", "n1"), file };
}

test("a predecessor is dead when its process is gone, and not before", async (t) => {
  const { node, successor } = await startNode(t);
  assert.equal(successor.findDead(), undefined);
  await node.kill();
  assert.equal(successor.findDead(), "worker@n1#first");
});

test("whoever has a predecessor's pid since is not taken for it", async (t) => {
  const { successor, file } = await startNode(t);
  const trace = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ ...trace, osPid: process.ppid }));
  assert.equal(successor.findDead(), "worker@n1#first");
});

test("a node is not its own predecessor", async (t) => {
  const { node, successor } = await startNode(t);
  await node.kill();
  successor.leaveTrace("worker@n1#second");
  assert.equal(successor.findDead(), undefined);
});

test("there is none where nobody has left a trace", () => {
  assert.equal(new Predecessor(`t${randomBytes(4).toString("hex")}`, "worker", "n1").findDead(), undefined);
});
