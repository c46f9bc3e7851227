import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertNoChildLeft, Child } from "../../test/tools/child.ts";
import { until } from "../../test/tools/until.ts";
import { readCpuMs } from "./cpu-time.ts";

const BURN = "while (process.cpuUsage().user < 300_000);";

after(assertNoChildLeft);

test("the CPU time of a process includes that of the children that it has and had", async () => {
  const grandchild = `require("node:child_process").spawnSync(process.execPath, ["-e", ${JSON.stringify(BURN)}])`;
  const args = ["-e", `${grandchild}; console.log("burnt"); setInterval(() => {}, 1000)`];
  const child = new Child({ name: "parent", command: process.execPath, args });
  await child.start();
  await child.untilLine(/burnt/, { withinMs: 10_000 });
  const own = readCpuMs([child.pid]);
  assert.ok(own >= 100, `the ended grandchild counts: ${own} ms`);
  await until(() => readCpuMs([process.pid]) >= own, {
    withinMs: 10_000,
    what: "this process's tree includes its child",
  });
  await child.stop();
});

test("a process that does not exist has used nothing", () => {
  assert.equal(readCpuMs([2 ** 22 + 1]), 0);
});
